/**
 * Counter-based random numbers: draw n of a stream is a pure function of (key, n), so a room's content depends on its
 * key alone and never on what was drawn for other rooms. Integer arithmetic only: the same on every machine.
 */

/** Inclusive bounds. */
export type Range = readonly [number, number]

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  uniform(range: Range): number
  /** An integer, both bounds included. */
  integer(range: Range): number
  pick<T>(items: readonly T[]): T
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[]
}

/** Opens the stream that belongs to these parts, for example (seed, split, index). */
export function randomStream(...parts: readonly (string | number)[]): Random {
  const text = JSON.stringify(parts)
  const low = hashText(text, 0x9e3779b9)
  const high = hashText(text, 0x85ebca6b)
  let counter = 0
  const next = (): number => draw(low, high, counter++)
  return {
    next,
    uniform: ([from, to]) => from + (to - from) * next(),
    integer: ([from, to]) => from + Math.floor(next() * (to - from + 1)),
    pick: (items) => at(items, Math.floor(next() * items.length)),
    shuffle: (items) => shuffled(items, next),
  }
}

function draw(low: number, high: number, counter: number): number {
  const a = mix(mix(low ^ Math.imul(counter, 0x9e3779b1)) ^ high)
  const b = mix(a ^ Math.imul(counter, 0x85ebca77) ^ low)
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000
}

/** Murmur3's finaliser: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function hashText(text: string, salt: number): number {
  let h = salt
  for (let i = 0; i < text.length; i++) h = mix(Math.imul(h, 0x01000193) ^ text.charCodeAt(i) ^ (i << 16))
  return h
}

/**
 * Takes items at random out of those that are left. Fisher-Yates would not need n² moves, but gives other permutations, and
 * a seed means the same data set in every release.
 */
function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const rest = [...items]
  const out: T[] = []
  while (rest.length > 0) out.push(...rest.splice(Math.floor(next() * rest.length), 1))
  return out
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError('pick: the list is empty')
  return item
}
