/** The grid of TRL's losses (make_trl_golden.py) as inputs of ours. */
import { readFileSync } from 'node:fs'
import type { GrpoInputs } from '../../src/losses/grpo.js'
import { defaultGrpoOptions, type GrpoOptions, type LossType } from '../../src/losses/grpo-options.js'
import { surrogateOf } from '../../src/losses/surrogates.js'
import { highEntropyMask, isNearPolicy } from '../../src/train/grpo/token-masks.js'
import { entropyWeights, tokenWeights } from '../../src/train/grpo/weights.js'

/** One slice of an accumulation. Ragged: the completions' tokens one after the other. */
interface Batch {
  readonly lengths: readonly number[]
  /** [B] 0 = no token of the completion is in the loss. */
  readonly mask: readonly number[]
  readonly advantages: readonly number[]
  readonly logps: readonly number[]
  readonly old_logps: readonly number[]
  readonly ref_logps: readonly number[]
  readonly sampling_logps: readonly number[]
  readonly entropies: readonly number[]
  readonly token_sampler_ratios: readonly number[]
  readonly sequence_sampler_ratios: readonly number[]
}

export interface TrlOptions {
  readonly loss_type: LossType
  readonly importance_sampling_level: 'token' | 'sequence'
  readonly beta: number
  readonly use_bias_correction_kl: boolean
  readonly epsilon_low: number
  readonly epsilon_high: number
  readonly delta: number | null
  readonly sapo_temperature_pos: number
  readonly sapo_temperature_neg: number
  readonly vespo_k_pos: number
  readonly vespo_lambda_pos: number
  readonly vespo_k_neg: number
  readonly vespo_lambda_neg: number
  readonly top_entropy_quantile: number
  readonly off_policy_mask_threshold: number | null
  readonly entropy_coef: number
  readonly max_completion_length: number
  readonly gradient_accumulation_steps: number
  readonly steps_per_generation: number
  readonly num_items_in_batch: number
  readonly old_logps: boolean
  readonly sampling_logps: boolean
  readonly sampler_ratio: 'token' | 'sequence' | null
}

export interface Case {
  readonly batch: string
  readonly options: Partial<TrlOptions>
  readonly loss: number
  readonly dlogps: readonly number[]
  readonly dentropies?: readonly number[]
  readonly metrics: Readonly<Record<string, number>>
}

interface Grid {
  readonly versions: Readonly<Record<string, string>>
  readonly defaults: TrlOptions
  readonly batches: Readonly<Record<string, Batch>>
  readonly cases: readonly Case[]
}

const fixture = new URL('fixtures/trl/loss-grid.json', import.meta.url)
export const grid: Grid = JSON.parse(readFileSync(fixture, 'utf8'))

/** A case as the trainer would put it: masks and normalisers become weights, the rest is options. */
export function problemOf(name: string, changes: Partial<TrlOptions>) {
  const batch = grid.batches[name]
  if (!batch) throw new Error(`the grid has no batch ${name}`)
  const trl = { ...grid.defaults, ...changes }
  return { trl, inputs: lossInputs(batch, trl), options: lossOptions(trl) }
}

function lossOptions(trl: TrlOptions): GrpoOptions {
  return {
    ...defaultGrpoOptions,
    surrogate: surrogateOf(trl.loss_type),
    importanceSamplingLevel: trl.importance_sampling_level,
    epsilonLow: trl.epsilon_low,
    epsilonHigh: trl.epsilon_high,
    ...(trl.delta === null ? {} : { delta: trl.delta }),
    beta: trl.beta,
    useBiasCorrectionKl: trl.use_bias_correction_kl,
    sapoTemperaturePos: trl.sapo_temperature_pos,
    sapoTemperatureNeg: trl.sapo_temperature_neg,
    vespoKPos: trl.vespo_k_pos,
    vespoLambdaPos: trl.vespo_lambda_pos,
    vespoKNeg: trl.vespo_k_neg,
    vespoLambdaNeg: trl.vespo_lambda_neg,
  }
}

function lossInputs(batch: Batch, trl: TrlOptions): GrpoInputs {
  const { lengths } = batch
  const spread = (values: readonly number[]) =>
    lengths.flatMap((length, i) => Array<number>(length).fill(values[i] ?? 0))
  const valid = lengths.map((length, i) => length * (batch.mask[i] ?? 0))
  const samplerRatios =
    trl.sampler_ratio === 'sequence' ? spread(batch.sequence_sampler_ratios) : batch.token_sampler_ratios
  const highEntropy = highEntropyTokens(batch, trl)
  const isMasking = trl.top_entropy_quantile < 1 || trl.off_policy_mask_threshold !== null
  const nearPolicy = spread(nearPolicyRows(batch, trl).map(Number))
  return {
    logps: Float32Array.from(batch.logps),
    weights: Float32Array.from(spread(sliceWeights(valid, trl))),
    offsets: Int32Array.from([0, ...lengths.map((_, i) => sum(lengths.slice(0, i + 1)))]),
    advantages: Float32Array.from(spread(batch.advantages)),
    entropy: Float32Array.from(batch.entropies),
    ...(trl.old_logps ? { oldLogps: Float32Array.from(batch.old_logps) } : {}),
    ...(trl.beta === 0 ? {} : { refLogps: Float32Array.from(batch.ref_logps) }),
    ...(isMasking ? { policyMask: highEntropy.map((kept, k) => kept * (nearPolicy[k] ?? 0)) } : {}),
    ...(trl.sampler_ratio ? { samplerRatios: Float32Array.from(samplerRatios) } : {}),
    ...(trl.entropy_coef === 0 ? {} : { entropyBonus: entropyBonus(lengths, spread(batch.mask), highEntropy, trl) }),
  }
}

/**
 * Weight of each token, by completion. A case is one slice of `gradient_accumulation_steps`, whereas `tokenWeights`
 * takes all completions of an update: TRL divides the slice's mean by the number of slices, so this does too, but for
 * the loss types whose divisor counts the tokens of the generation batch.
 */
function sliceWeights(valid: readonly number[], trl: TrlOptions): number[] {
  const { loss_type: lossType, max_completion_length: maxCompletionLength } = trl
  const dapoTokens = (trl.num_items_in_batch * trl.gradient_accumulation_steps) / trl.steps_per_generation
  const weights = tokenWeights(valid, { lossType, sliceSize: valid.length, maxCompletionLength, dapoTokens })
  return weights.map((weight) => weight / slicesInWeight(trl))
}

export function slicesInWeight({ loss_type: lossType, gradient_accumulation_steps: slices }: TrlOptions): number {
  return ['dapo', 'cispo', 'vespo'].includes(lossType) ? 1 : slices
}

/** [K] 1 for the tokens in the loss that `top_entropy_quantile` keeps. */
function highEntropyTokens({ lengths, mask, entropies }: Batch, trl: TrlOptions): Float32Array {
  const isIn = lengths.flatMap((length, i) => Array<boolean>(length).fill(mask[i] === 1))
  const valid = Float32Array.from(entropies.filter((_, k) => isIn[k]))
  const kept = (
    trl.top_entropy_quantile < 1 ? highEntropyMask(valid, trl.top_entropy_quantile) : valid.fill(1)
  ).values()
  return Float32Array.from(isIn, (included) => (included ? (kept.next().value ?? 0) : 0))
}

/** [B] whether `off_policy_mask_threshold` keeps the completion. */
function nearPolicyRows(batch: Batch, trl: TrlOptions): boolean[] {
  const { off_policy_mask_threshold: threshold } = trl
  const source = trl.sampling_logps ? batch.sampling_logps : trl.old_logps ? batch.old_logps : batch.logps
  return batch.lengths.map((length, i) => {
    const begin = sum(batch.lengths.slice(0, i))
    const row = (values: readonly number[]) => Float32Array.from(values.slice(begin, begin + length))
    const advantage = batch.advantages[i] ?? 0
    return threshold === null || isNearPolicy(row(batch.logps), row(source), { advantage, threshold })
  })
}

/** [K] coefficient over the tokens that keep their policy term, for one slice of several. */
function entropyBonus(
  lengths: readonly number[],
  mask: readonly number[],
  highEntropy: Float32Array,
  trl: TrlOptions,
): Float32Array {
  let k = 0
  const acting = lengths.map((length) => {
    const row = Array.from({ length }, () => (mask[k] ?? 0) * (highEntropy[k++] ?? 0))
    return sum(row)
  })
  const weights = entropyWeights(acting, acting.length).values()
  const byToken = lengths.flatMap((length) => Array<number>(length).fill(weights.next().value ?? 0))
  const scale = trl.entropy_coef / trl.gradient_accumulation_steps
  return highEntropy.map((kept, i) => kept * (mask[i] ?? 0) * (byToken[i] ?? 0) * scale)
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Whether a number is TRL's, up to float32. */
export function isClose(got: number | undefined, expected: number): boolean {
  return Math.abs((got ?? Number.NaN) - expected) <= 1e-7 + 1e-5 * Math.abs(expected)
}
