/** Mutated inputs from a fixed seed: the same ten thousand on every machine. */

/** Uniform integers below a bound, from a seed (mulberry32). */
export type Random = (bound: number) => number

export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = Math.imul(state ^ (state >>> 15), state | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * bound)
  }
}

export function pick<T>(values: readonly T[], random: Random): T {
  const value = values[random(values.length)]
  if (value === undefined) throw new RangeError('nothing to pick from')
  return value
}

/** One to three bytes changed in place. */
export function flip(bytes: Buffer, random: Random): Buffer {
  const result = Buffer.from(bytes)
  for (let n = random(3) + 1; n > 0; n--) result[random(result.length)] = random(256)
  return result
}

/** One to four flips, cuts, copies and pieces of the dictionary; now and then the end is missing. */
export function mutate(bytes: Buffer, dictionary: readonly Buffer[], random: Random): Buffer {
  let result: Buffer = Buffer.from(bytes)
  for (let n = random(4) + 1; n > 0; n--) result = mutateOnce(result, dictionary, random)
  return random(16) === 0 ? result.subarray(0, random(result.length + 1)) : result
}

function mutateOnce(bytes: Buffer, dictionary: readonly Buffer[], random: Random): Buffer {
  const at = random(bytes.length + 1)
  const length = random(Math.min(bytes.length - at, 24) + 1)
  const replaceBy = (cut: number, piece: Uint8Array) =>
    Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + cut)])
  const copied = random(bytes.length + 1)
  switch (random(6)) {
    case 0:
      return replaceBy(1, Buffer.of((bytes[at] ?? 0) ^ (1 << random(8))))
    case 1:
      return replaceBy(1, Buffer.of(random(256)))
    case 2:
      return replaceBy(length, Buffer.alloc(0))
    case 3:
      return replaceBy(0, bytes.subarray(copied, copied + length))
    case 4:
      return replaceBy(0, pick(dictionary, random))
    default:
      return replaceBy(length, pick(dictionary, random))
  }
}
