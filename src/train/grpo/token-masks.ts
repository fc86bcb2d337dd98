/** Which tokens keep their policy term: those of high entropy, and completions that are still near their sampler. */

/**
 * 1 for the tokens whose entropy is at least the (1 - quantile) quantile of all of them, by linear interpolation (Beyond
 * the 80/20 Rule, arXiv 2506.01939; TRL's `get_high_entropy_mask`). `entropy` holds the tokens of one slice.
 */
export function highEntropyMask(entropy: Float32Array, quantile: number): Float32Array {
  const threshold = quantileOf(entropy, 1 - quantile)
  return entropy.map((value) => Number(value >= threshold))
}

/** numpy's and torch's linear quantile; NaN for no values. */
function quantileOf(values: Float32Array, q: number): number {
  const sorted = values.toSorted()
  // In float32 at every step, as torch: the threshold is compared with values of that precision.
  const rank = Math.fround(Math.fround(q) * (sorted.length - 1))
  const [low, high] = [sorted[Math.floor(rank)] ?? Number.NaN, sorted[Math.ceil(rank)] ?? Number.NaN]
  const [part, gap] = [rank - Math.floor(rank), Math.fround(high - low)]
  return Math.fround(part < 0.5 ? low + Math.fround(part * gap) : high - Math.fround((1 - part) * gap))
}

/** The masks of completions, each among those of its slice, and the share of tokens that its slice keeps. */
export function maskBySlice(slices: readonly number[], entropies: readonly Float32Array[], quantile: number) {
  const results = entropies.map((entropy) => ({ mask: new Float32Array(entropy.length).fill(1), share: 1 }))
  if (quantile === 1) return results
  for (const slice of new Set(slices)) {
    const members = entropies.flatMap((entropy, i) => (slices[i] === slice ? [{ i, entropy }] : []))
    const mask = highEntropyMask(Float32Array.from(members.flatMap(({ entropy }) => [...entropy])), quantile)
    const share = mask.reduce((sum, value) => sum + value, 0) / Math.max(1, mask.length)
    let begin = 0
    for (const { i, entropy } of members) {
      results[i] = { mask: mask.slice(begin, begin + entropy.length), share }
      begin += entropy.length
    }
  }
  return results
}

/**
 * Whether a completion keeps its policy term: always when it was good, and while the policy's mean log-probability has
 * not fallen more than `threshold` below the sampler's when it was bad (DeepSeek-V3.2, arXiv 2512.02556, equation 9).
 */
export function isNearPolicy(
  logps: Float32Array,
  samplingLogps: Float32Array,
  options: { readonly advantage: number; readonly threshold?: number },
): boolean {
  const { advantage, threshold = Number.POSITIVE_INFINITY } = options
  const distance = logps.reduce((sum, logp, t) => sum + (samplingLogps[t] ?? logp) - logp, 0)
  return advantage >= 0 || distance / Math.max(1, logps.length) <= threshold
}
