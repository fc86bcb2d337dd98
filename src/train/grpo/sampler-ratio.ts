/**
 * Truncated importance sampling between sampler and trainer: how much likelier the trainer's own pass finds what the
 * sampler drew. Here both are one engine: the ratio is 1 up to rounding, unless top-k, top-p, min-p or a penalty changed what was
 * drawn from. TRL 1.13 `vllm_importance_sampling_mode`.
 */
export const samplerRatioModes = ['sequence_mask', 'sequence_truncate', 'token_mask', 'token_truncate'] as const

export interface SamplerRatioOptions {
  /** One ratio per token or per sequence; outside the bounds it is cut to them (truncate) or 0 (mask). */
  readonly mode: (typeof samplerRatioModes)[number]
  readonly clipMin?: number
  readonly clipMax?: number
}

/** Ratio of each token of one completion, [T]; the same for all in the sequence modes. */
export function samplerRatios(
  logps: Float32Array,
  samplingLogps: Float32Array,
  options: SamplerRatioOptions,
): Float32Array {
  const differences = logps.map((logp, t) => logp - (samplingLogps[t] ?? logp))
  if (options.mode.startsWith('token')) return differences.map((difference) => bound(Math.exp(difference), options))
  const whole = differences.reduce((sum, difference) => sum + difference, 0)
  return new Float32Array(logps.length).fill(bound(Math.exp(whole), options))
}

function bound(ratio: number, options: SamplerRatioOptions): number {
  const { mode, clipMin = Number.NEGATIVE_INFINITY, clipMax = Number.POSITIVE_INFINITY } = options
  if (mode.endsWith('truncate')) return Math.min(Math.max(ratio, clipMin), clipMax)
  return ratio < clipMin || ratio > clipMax ? 0 : ratio
}
