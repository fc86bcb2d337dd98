/**
 * The DPO loss family over pairs of answers:
 *
 *   loss = sum_i w_i v_i sum_j weight_j term_j(pair i)  +  weight_sft sum_i u_i sum_k -logp_k of pair i's chosen answer
 *
 * with the charges of `dpo-terms.ts`, pair weights w that hold the normaliser, token weights u of the `sft` charge, and
 * WPO's weights v. Log-probabilities of an answer are summed over its tokens, without length normalisation; LD-DPO counts
 * those past the shorter answer's length less. TRL 1.13 `DPOTrainer._compute_loss`.
 */
import type { DpoOptions } from './dpo-options.js'
import { logRatio, margin, type Opponents, type Pair, pairTerm, type Sides } from './dpo-terms.js'
import type { LossInputs, LossOutput } from './loss.js'

/** P pairs: row 2 i is the chosen answer of pair i, row 2 i + 1 the rejected one. */
export interface DpoInputs extends Pick<LossInputs, 'logps' | 'offsets'> {
  /** [K] log-probabilities under the reference policy. */
  readonly refLogps: Float32Array
  /** [P] 1 / normaliser of each pair. */
  readonly weights: Float32Array
  /** [P] 1 / normaliser of each token of the chosen answers, for the `sft` loss; absent = 0. */
  readonly tokenWeights?: Float32Array
  /** [P] WPO's weights, the product of `wpoWeight` of both answers; absent = 1. `sft` has none. */
  readonly pairWeights?: Float32Array
  /** [P] for aot and aot_unpaired, see `rankPairs`. */
  readonly opponents?: readonly Opponents[]
}

/** Loss and gradients of the pairs, summed in double precision. */
export function dpoLoss(inputs: DpoInputs, options: DpoOptions): LossOutput {
  const dlogps = new Float32Array(inputs.logps.length)
  let loss = 0
  for (const [i, pair] of readPairs(inputs, options).entries()) {
    const weight = (inputs.weights[i] ?? 0) * (inputs.pairWeights?.[i] ?? 1)
    for (const { type, weight: share } of options.losses) {
      const { value, byChosen, byRejected } = pairTerm(pair, type, options)
      loss += weight * share * value
      spread(inputs, options, 2 * i, weight * share * byChosen, dlogps)
      spread(inputs, options, 2 * i + 1, weight * share * byRejected, dlogps)
      if (type === 'sft') loss += addLikelihood(inputs, i, share, dlogps)
    }
  }
  return { loss, dlogps }
}

/** The pairs as the charges see them. */
export function readPairs(inputs: DpoInputs, options: DpoOptions): Pair[] {
  return Array.from({ length: (inputs.offsets.length - 1) / 2 }, (_, i) => {
    const both = (sum: (row: number) => number): Sides => ({ chosen: sum(2 * i), rejected: sum(2 * i + 1) })
    return {
      logps: both((row) => weighedSum(inputs, inputs.logps, options, row)),
      refLogps: both((row) => weighedSum(inputs, inputs.refLogps, options, row)),
      lengths: both((row) => lengthOf(inputs.offsets, row)),
      opponents: inputs.opponents?.[i],
    }
  })
}

/** For each pair of a batch, what the sorting losses hold against it. TRL sorts each of its micro-batches by itself. */
export function rankPairs(pairs: readonly Pair[]): Opponents[] {
  const margins = pairs.map(({ logps }) => margin(logps))
  const chosen = pairs.map((pair) => logRatio(pair, 'chosen'))
  const rejected = pairs.map((pair) => logRatio(pair, 'rejected'))
  const refMargins = matched(
    margins,
    pairs.map(({ refLogps }) => margin(refLogps)),
  )
  const [toChosen, toRejected] = [matched(chosen, rejected), matched(rejected, chosen)]
  return pairs.map((_, i) => {
    return { margin: refMargins[i] ?? 0, chosen: toChosen[i] ?? 0, rejected: toRejected[i] ?? 0 }
  })
}

/**
 * WPO's weight of one answer, exp(mean_t(logp_t - log sum_v p_v^2)): how likely the policy finds it, against how likely it
 * finds what it says itself (arXiv 2406.11827, equation 2). The sum of squares over the vocabulary is
 * 2 logp - logp', with logp' at temperature 1/2.
 */
export function wpoWeight(logps: Float32Array, halfTemperatureLogps: Float32Array): number {
  const total = logps.reduce((sum, logp, t) => sum + (halfTemperatureLogps[t] ?? 0) - logp, 0)
  return Math.exp(total / Math.max(1, logps.length))
}

/** For each value, the one of the others that has its rank. */
function matched(values: readonly number[], others: readonly number[]): number[] {
  const sorted = [...others].sort((a, b) => a - b)
  const order = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0))
  const result: number[] = []
  for (const [rank, index] of order.entries()) result[index] = sorted[rank] ?? 0
  return result
}

function weighedSum({ offsets }: DpoInputs, logps: Float32Array, options: DpoOptions, row: number): number {
  const begin = offsets[row] ?? 0
  let sum = 0
  for (let t = 0; t < lengthOf(offsets, row); t++) sum += ldWeight(offsets, options, row, t) * (logps[begin + t] ?? 0)
  return sum
}

/** Adds the slope by a sum to each of its tokens. */
function spread({ offsets }: DpoInputs, options: DpoOptions, row: number, slope: number, dlogps: Float32Array): void {
  const begin = offsets[row] ?? 0
  for (let t = 0; t < lengthOf(offsets, row); t++) {
    dlogps[begin + t] = (dlogps[begin + t] ?? 0) + slope * ldWeight(offsets, options, row, t)
  }
}

/** The `sft` charge of a chosen answer, which LD-DPO leaves as it is. */
function addLikelihood(inputs: DpoInputs, pair: number, factor: number, dlogps: Float32Array): number {
  const weight = factor * (inputs.tokenWeights?.[pair] ?? 0)
  let loss = 0
  for (let k = inputs.offsets[2 * pair] ?? 0; k < (inputs.offsets[2 * pair + 1] ?? 0); k++) {
    loss -= weight * (inputs.logps[k] ?? 0)
    dlogps[k] = (dlogps[k] ?? 0) - weight
  }
  return loss
}

/** Weight of token t in its answer's sum. */
function ldWeight(offsets: Int32Array, { ldAlpha = 1 }: DpoOptions, row: number, t: number): number {
  // The rows of a pair differ in the last bit.
  return t < lengthOf(offsets, row ^ 1) ? 1 : ldAlpha
}

function lengthOf(offsets: Int32Array, row: number): number {
  return (offsets[row + 1] ?? 0) - (offsets[row] ?? 0)
}
