/** Ways to choose some of several things. */
import type { Random } from '../../random.js'

/** Ordered choices of `size` different items. */
export function arrangements<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    arrangements([...items.slice(0, i), ...items.slice(i + 1)], size - 1).map((rest) => [item, ...rest]),
  )
}

/** Unordered choices of `size` different items, in the items' order. */
export function combinations<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) => combinations(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]))
}

/** At most `most` different combinations, drawn evenly from all of them. */
export function someCombinations<T>(items: readonly T[], size: number, most: number, random: Random): T[][] {
  if (binomial(items.length, size) <= most) return random.shuffle(combinations(items, size))
  const drawn = new Map<string, T[]>()
  while (drawn.size < most) {
    const indices = drawIndices(items.length, size, random)
    drawn.set(
      indices.join(),
      indices.map((i) => items[i]).filter((item) => item !== undefined),
    )
  }
  return [...drawn.values()]
}

function drawIndices(count: number, size: number, random: Random): number[] {
  const chosen = new Set<number>()
  while (chosen.size < size) chosen.add(random.integer([0, count - 1]))
  return [...chosen].sort((a, b) => a - b)
}

function binomial(n: number, k: number): number {
  let ways = k > n ? 0 : 1
  for (let i = 0; i < Math.min(k, n); i++) ways = (ways * (n - i)) / (i + 1)
  return Math.round(ways)
}
