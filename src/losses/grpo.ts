/**
 * The GRPO loss: the readable definition that the engine's fused kernel is tested against.
 *
 *   loss = sum_k w_k (f_k policy_k + beta kl_k)  -  sum_k b_k entropy_k
 *
 * over the tokens k of all completions: the policy term of `surrogates.ts`, the KL estimate of `kl.ts`, weights w that
 * hold mask and normaliser (`tokenWeights`), factors f of masks and sampler ratios, and the entropy bonus b.
 * DeepSeekMath (arXiv 2402.03300) equations 3 and 4; TRL 1.13 `GRPOTrainer._compute_loss`.
 */
import type { GrpoOptions } from './grpo-options.js'
import { klTerm } from './kl.js'
import type { LossInputs, LossOutput } from './loss.js'
import { clampLogRatio, policyTerm, type Term, vespoWeight } from './surrogates.js'

export interface GrpoInputs extends LossInputs {
  /** [K] advantage of each token's completion. */
  readonly advantages: Float32Array
  /** [K] log-probabilities of the policy that sampled; absent when it has not been updated since: the ratio is 1. */
  readonly oldLogps?: Float32Array
  /** [K] log-probabilities of the reference policy; needed when beta > 0. */
  readonly refLogps?: Float32Array
  /** [K] 1 or 0: tokens whose policy term counts. The KL penalty counts all the same. */
  readonly policyMask?: Float32Array
  /** [K] how much likelier the trainer finds what the sampler drew: multiplies the policy term (vespo: part of its weight). */
  readonly samplerRatios?: Float32Array
  /** [K] in nats; needed for the entropy bonus. */
  readonly entropy?: Float32Array
  /** [K] coefficient / normaliser of each token's entropy. */
  readonly entropyBonus?: Float32Array
}

export interface GrpoOutput extends LossOutput {
  /** [K] present with an entropy bonus. */
  readonly dentropy?: Float32Array
}

/** Loss and gradients of a batch, summed in double precision. */
export function grpoLoss(inputs: GrpoInputs, options: GrpoOptions): GrpoOutput {
  const dlogps = new Float32Array(inputs.logps.length)
  let loss = 0
  for (let row = 0; row + 1 < inputs.offsets.length; row++) {
    loss += addRow(inputs, options, readRow(inputs, options, row), dlogps)
  }
  if (!inputs.entropyBonus) return { loss, dlogps }
  for (const [k, bonus] of inputs.entropyBonus.entries()) loss -= bonus === 0 ? 0 : bonus * at(inputs.entropy, k)
  return { loss, dlogps, dentropy: inputs.entropyBonus.map((bonus) => -bonus) }
}

/** A completion as the loss sees it: its tokens with weight, and what they have in common. */
export interface Row {
  /** Indices of the tokens with weight. */
  readonly tokens: readonly number[]
  /** The mean log ratio of the tokens. */
  readonly logRatio: number
  /** vespo's phi. */
  readonly sequenceWeight: number
}

export function readRow(inputs: GrpoInputs, options: GrpoOptions, row: number): Row {
  const begin = at(inputs.offsets, row)
  const all = Array.from({ length: at(inputs.offsets, row + 1) - begin }, (_, i) => begin + i)
  const tokens = all.filter((k) => at(inputs.weights, k) !== 0)
  const sum = (value: (k: number) => number) => tokens.reduce((total, k) => total + value(k), 0)
  const logRatio = sum((k) => logRatioAt(inputs, k)) / Math.max(1, tokens.length)
  if (options.surrogate !== 'vespo') return { tokens, logRatio, sequenceWeight: 1 }
  const logWeight = sum((k) => clampLogRatio(logRatioAt(inputs, k), -20) + logSamplerRatio(inputs, k))
  return { tokens, logRatio, sequenceWeight: vespoWeight(logWeight, at(inputs.advantages, begin), options) }
}

/** A token's policy term without its factors, and its KL estimate. */
export function tokenTerms(inputs: GrpoInputs, options: GrpoOptions, row: Row, k: number): { policy: Term; kl: Term } {
  const logRatio = options.importanceSamplingLevel === 'sequence' ? row.logRatio : logRatioAt(inputs, k)
  const { sequenceWeight } = row
  const point = { logp: at(inputs.logps, k), logRatio, advantage: at(inputs.advantages, k), sequenceWeight }
  return { policy: policyTerm(point, options), kl: klOf(inputs, options, k, Math.exp(logRatio)) }
}

/** Adds the gradient of one completion and gives its loss. */
function addRow(inputs: GrpoInputs, options: GrpoOptions, row: Row, dlogps: Float32Array): number {
  const isSequence = options.importanceSamplingLevel === 'sequence'
  let loss = 0
  let throughRatio = 0
  for (const k of row.tokens) {
    const { policy, kl } = tokenTerms(inputs, options, row, k)
    const weight = at(inputs.weights, k)
    const factor = factorAt(inputs, options, k)
    const byRatio = factor * policy.byRatio + options.beta * kl.byRatio
    loss += weight * (factor * policy.value + options.beta * kl.value)
    throughRatio += weight * byRatio
    dlogps[k] = weight * (factor * policy.byLogp + options.beta * kl.byLogp + (isSequence ? 0 : byRatio))
  }
  // The ratio of a sequence is the mean over its tokens: each has an equal part in it.
  if (isSequence) for (const k of row.tokens) dlogps[k] = at(dlogps, k) + throughRatio / row.tokens.length
  return loss
}

function klOf({ logps, refLogps }: GrpoInputs, options: GrpoOptions, k: number, ratio: number): Term {
  if (options.beta === 0) return { value: 0, byRatio: 0, byLogp: 0 }
  if (!refLogps) throw new RangeError('[grpoLoss] beta > 0 needs refLogps, got none: give them, or beta 0')
  const { value, byLogp } = klTerm(options.klEstimator, at(refLogps, k) - at(logps, k))
  if (!options.useBiasCorrectionKl) return { value, byRatio: 0, byLogp }
  return { value: value * ratio, byRatio: value * ratio, byLogp: byLogp * ratio }
}

function factorAt({ policyMask, samplerRatios }: GrpoInputs, options: GrpoOptions, k: number): number {
  const ratio = samplerRatios && options.surrogate !== 'vespo' ? at(samplerRatios, k) : 1
  return ratio * (policyMask ? at(policyMask, k) : 1)
}

/** s of one token; 0 without old log-probabilities. */
export function logRatioAt({ logps, oldLogps }: GrpoInputs, k: number): number {
  return oldLogps ? at(logps, k) - at(oldLogps, k) : 0
}

function logSamplerRatio({ samplerRatios }: GrpoInputs, k: number): number {
  return samplerRatios ? clampLogRatio(Math.log(at(samplerRatios, k))) : 0
}

function at(values: Float32Array | Int32Array | undefined, index: number): number {
  return values?.[index] ?? 0
}
