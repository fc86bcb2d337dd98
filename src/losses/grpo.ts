/**
 * The clipped GRPO objective with a k3 KL penalty: the readable definition that the native fused loss is tested against.
 *
 *   ratio r  = exp(logp - oldLogp)                              (exactly 1 without old log-probabilities)
 *   policy   = -min(r A, clip(r, 1 - epsilonLow, 1 + epsilonHigh) A)
 *   kl       = exp(refLogp - logp) - (refLogp - logp) - 1        (k3: unbiased, never negative)
 *   loss     = sum_k w_k (policy_k + beta kl_k)
 *
 * DeepSeekMath (arXiv 2402.03300) equations 3 and 4; TRL 1.13 `GRPOTrainer._compute_loss` with `use_bias_correction_kl`
 * off. Which of grpo, bnpo, dr_grpo and dapo it is lies in the weights alone.
 */
import type { Metrics } from '../types.js'
import type { LossInputs, LossOutput } from './loss.js'

export interface GrpoOptions {
  /** Weight of the KL penalty; 0 = no reference policy. */
  readonly beta: number
  /** The ratio is clipped below 1 - epsilonLow … */
  readonly epsilonLow: number
  /** … and above 1 + epsilonHigh. */
  readonly epsilonHigh: number
}

export interface GrpoInputs extends LossInputs {
  /** [K] advantage of each token's completion. */
  readonly advantages: Float32Array
  /** [K] log-probabilities of the policy that sampled; absent when the policy has not been updated since. */
  readonly oldLogps?: Float32Array
  /** [K] log-probabilities of the reference policy; needed when beta > 0. */
  readonly refLogps?: Float32Array
}

/** Loss, gradient and metrics of a batch, summed in double precision. */
export function grpoLoss(inputs: GrpoInputs, options: GrpoOptions): LossOutput {
  const { logps, weights, advantages } = inputs
  const { beta, epsilonLow, epsilonHigh } = options
  let loss = 0
  const dlogps = new Float32Array(logps.length)
  for (const [k, weight] of weights.entries()) {
    if (weight === 0) continue
    const advantage = at(advantages, k)
    const ratio = ratioAt(inputs, k)
    const clipped = Math.min(Math.max(ratio, 1 - epsilonLow), 1 + epsilonHigh)
    const term = -Math.min(ratio * advantage, clipped * advantage)
    // The unclipped branch is the smaller one (or both are equal): its gradient is that of -ratio * advantage.
    const slope = ratio * advantage <= clipped * advantage ? -ratio * advantage : 0
    const kl = beta === 0 ? { value: 0, slope: 0 } : k3(inputs, k)
    loss += weight * (term + beta * kl.value)
    dlogps[k] = weight * (slope + beta * kl.slope)
  }
  return { loss, dlogps, metrics: grpoMetrics(inputs, options) }
}

/** TRL's clip metrics and KL over the tokens with weight, from log-probabilities alone. */
export function grpoMetrics(inputs: GrpoInputs, options: GrpoOptions): Metrics {
  const total = { tokens: 0, low: 0, high: 0, kl: 0 }
  let lowMin = Number.POSITIVE_INFINITY
  let highMax = 0
  for (let row = 0; row + 1 < inputs.offsets.length; row++) {
    const counts = countRow(inputs, options, at(inputs.offsets, row), at(inputs.offsets, row + 1))
    total.tokens += counts.tokens
    total.low += counts.low
    total.high += counts.high
    total.kl += counts.kl
    lowMin = Math.min(lowMin, counts.low / Math.max(1, counts.tokens))
    highMax = Math.max(highMax, counts.high / Math.max(1, counts.tokens))
  }
  const tokens = Math.max(1, total.tokens)
  return {
    'clip_ratio/low_mean': total.low / tokens,
    'clip_ratio/low_min': Number.isFinite(lowMin) ? lowMin : 0,
    'clip_ratio/high_mean': total.high / tokens,
    'clip_ratio/high_max': highMax,
    'clip_ratio/region_mean': (total.low + total.high) / tokens,
    ...(options.beta === 0 ? {} : { kl: total.kl / tokens }),
  }
}

/** Tokens of one completion that the clip holds back: below with A < 0, above with A > 0. */
function countRow(inputs: GrpoInputs, options: GrpoOptions, begin: number, end: number) {
  const counts = { tokens: 0, low: 0, high: 0, kl: 0 }
  for (let k = begin; k < end; k++) {
    if (at(inputs.weights, k) === 0) continue
    const ratio = ratioAt(inputs, k)
    const advantage = at(inputs.advantages, k)
    counts.tokens++
    if (ratio < 1 - options.epsilonLow && advantage < 0) counts.low++
    if (ratio > 1 + options.epsilonHigh && advantage > 0) counts.high++
    if (options.beta !== 0) counts.kl += k3(inputs, k).value
  }
  return counts
}

function ratioAt({ logps, oldLogps }: GrpoInputs, k: number): number {
  return oldLogps ? Math.exp(at(logps, k) - at(oldLogps, k)) : 1
}

function k3({ logps, refLogps }: GrpoInputs, k: number): { value: number; slope: number } {
  if (!refLogps) throw new RangeError('[grpoLoss] beta > 0 needs refLogps')
  const difference = at(refLogps, k) - at(logps, k)
  const ratio = Math.exp(difference)
  return { value: ratio - difference - 1, slope: 1 - ratio }
}

function at(values: Float32Array | Int32Array, index: number): number {
  return values[index] ?? 0
}
