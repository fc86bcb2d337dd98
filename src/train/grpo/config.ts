/**
 * The options of a GRPO run under TRL 1.13's names, in camelCase and with TRL's defaults, and the batch algebra that they
 * make. Ours alone: `klEstimator`, `dynamicSampling`, `rewardTimeout`, `onRewardError`.
 */
import { type GrpoOptions, type LossType, lossTypes } from '../../losses/grpo-options.js'
import { surrogateOf } from '../../losses/surrogates.js'
import { temperatureRange } from '../../native.js'
import { trainingFields } from '../config.js'
import {
  choice,
  type Fields,
  flag,
  integer,
  number,
  orUnbounded,
  positive,
  resolveFields,
  type Values,
  wrong,
} from '../fields.js'
import { referenceFields } from '../reference-sync.js'
import { samplerRatioModes } from './sampler-ratio.js'

const grpoFields = {
  ...trainingFields,
  learningRate: number(1e-6, 0),
  /** Completions per prompt: the group. */
  numGenerations: integer(8, 2),
  /** Completions per prompt in evaluations, sampled as in training; unset = one, greedy. */
  numGenerationsEval: integer(undefined, 1),
  /** Tokens of a completion at most. */
  maxCompletionLength: integer(512, 1),
  /** Divides the logits in sampling and in every log-probability. */
  temperature: number(1, temperatureRange.min, temperatureRange.max),
  topP: number(1, 1e-6, 1),
  /** 0 = off. */
  topK: integer(0, 0),
  minP: number(undefined, 0, 1),
  repetitionPenalty: number(1, 1e-6),
  /** Completions sampled at a time; unset = `perDeviceTrainBatchSize` x `stepsPerGeneration`. */
  generationBatchSize: integer(undefined, 2),
  /** Slices in a generation batch; unset = `gradientAccumulationSteps`. */
  stepsPerGeneration: integer(undefined, 1),
  /** Times that every generation batch is trained on. */
  numIterations: integer(1, 1),
  /** Weight of the KL penalty; 0 = no reference policy. */
  beta: number(0, 0),
  /** The ratio is clipped below 1 - epsilon … */
  epsilon: positive(0.2),
  /** … and above 1 + epsilonHigh; unset = epsilon. For cispo the largest weight itself (its paper: 5). */
  epsilonHigh: positive(undefined),
  /** Bound on the ratio where the advantage is negative, above 1 + epsilonHigh; unset = none. */
  delta: positive(undefined),
  /**
   * How tokens are averaged: over the batch (dapo), the slice (bnpo), each completion (grpo), a constant (dr_grpo), not at
   * all (luspo); or another policy term: cispo and vespo (averaged as dapo), sapo (as grpo).
   */
  lossType: choice('dapo', lossTypes),
  /** Whose ratio a token is judged by: its own, or its sequence's (GSPO). */
  importanceSamplingLevel: choice('token', ['token', 'sequence']),
  klEstimator: choice('k3', ['k1', 'k2', 'k3']),
  /** Multiplies the KL estimate by the ratio. */
  useBiasCorrectionKl: flag(true),
  sapoTemperaturePos: positive(1),
  sapoTemperatureNeg: positive(1.05),
  vespoKPos: number(2, 0),
  vespoLambdaPos: number(3, 0),
  vespoKNeg: number(3, 0),
  vespoLambdaNeg: number(2, 0),
  /** TRL takes booleans too: true = group, false = none. */
  scaleRewards: {
    ...choice('group', ['group', 'batch', 'none']),
    read: (value) => (value === true ? 'group' : value === false ? 'none' : value),
  },
  /** Weigh and add rewards before they are normalised, or normalise each within its group first (GDPO). */
  multiObjectiveAggregation: choice('sum_then_normalize', ['sum_then_normalize', 'normalize_then_sum']),
  /** Milliseconds that one call of a reward may take; unset = no limit. */
  rewardTimeout: positive(undefined),
  /** A reward that fails stops the run, or is counted and does not apply to its completion. */
  onRewardError: { ...choice('stop', ['stop', 'null']), read: (value) => (value === null ? 'null' : value) },
  /** Share of tokens, those of highest entropy, whose policy term counts; 1 = all. Costs a pass per step below 1. */
  topEntropyQuantile: number(1, 0, 1),
  /** Weight of the mean entropy, which the loss rewards; 0 = off. */
  entropyCoef: number(0, 0),
  /** Moves `entropyCoef` by `entropyCoefDelta` within its bounds to keep the entropy near `entropyTarget` (nats). */
  useAdaptiveEntropy: flag(false),
  entropyCoefMin: number(0, 0),
  entropyCoefMax: number(1, 0),
  entropyCoefDelta: number(0.005, 0),
  entropyTarget: number(0.2, 0),
  /** Leaves out bad completions of which the policy has moved away more than this (nats per token); unset = off. */
  offPolicyMaskThreshold: number(undefined, Number.NEGATIVE_INFINITY),
  /** Weighs tokens by trainer over sampler likelihood, within bounds; see `sampler-ratio.ts`. */
  importanceSamplingCorrection: flag(false),
  importanceSamplingMode: choice('sequence_mask', samplerRatioModes),
  /** null = no bound above. */
  importanceSamplingClipMax: orUnbounded(number(3, 0)),
  importanceSamplingClipMin: number(undefined, 0),
  ...referenceFields,
  /** Leave completions that were cut at `maxCompletionLength` out of the loss. */
  maskTruncatedCompletions: flag(false),
  /**
   * Groups whose rewards are all equal: kept (off), left out of the batch and its averages (drop), or replaced by groups
   * of further prompts, up to `dynamicSamplingRounds` times (refill; DAPO, arXiv 2503.14476).
   */
  dynamicSampling: choice('off', ['off', 'drop', 'refill']),
  dynamicSamplingRounds: integer(3, 1),
  logCompletions: flag(true),
  /** Completions logged per generation batch; unset = all. */
  numCompletionsToPrint: integer(undefined, 1),
} satisfies Fields

/** TRL's names of options that here have nothing to do with vLLM. */
const aliases = {
  vllmImportanceSamplingCorrection: 'importanceSamplingCorrection',
  vllmImportanceSamplingMode: 'importanceSamplingMode',
  vllmImportanceSamplingClipMax: 'importanceSamplingClipMax',
  vllmImportanceSamplingClipMin: 'importanceSamplingClipMin',
} as const

export type GRPOValues = Values<typeof grpoFields>
/** Options of `GRPOTrainer`; all have defaults. */
export type GRPOConfig = Partial<GRPOValues>

/** All options of a GRPO run; throws an InputError for unknown names, bad values and batches that do not divide. */
export function resolveGRPOConfig(given: Readonly<Record<string, unknown>> = {}): GRPOValues {
  const values = resolveFields(grpoFields, given, { aliases })
  batchAlgebra(values)
  if (
    values.lossType === 'vespo' &&
    values.importanceSamplingCorrection &&
    !values.importanceSamplingMode.startsWith('token')
  ) {
    throw wrong(
      `lossType 'vespo' with importanceSamplingCorrection: expected importanceSamplingMode 'token_truncate' or 'token_mask', got '${values.importanceSamplingMode}'`,
    )
  }
  checkClip(values)
  return values
}

function checkClip({ importanceSamplingClipMin: min = 0, importanceSamplingClipMax: max }: GRPOValues): void {
  if (min <= max) return
  throw wrong(`importanceSamplingClipMin: expected at most importanceSamplingClipMax ${max}, got ${min}`)
}

/**
 * What the paper states of its GRPO runs (arXiv 2504.00883, section 3): 14 completions per prompt, temperature 1, KL weight
 * 1e-4, learning rate by the size of the model. All else is TRL's default; the paper gives no more.
 */
export function vsgrpo(size: '2b' | '7b' = '2b'): GRPOConfig {
  const numGenerations = 14
  const learningRate = size === '2b' ? 1e-5 : 5e-6
  return { numGenerations, perDeviceTrainBatchSize: numGenerations, temperature: 1, beta: 1e-4, learningRate }
}

/** The options that make the loss. */
export function lossOptions(config: GRPOValues): GrpoOptions {
  const { epsilon: epsilonLow, epsilonHigh = epsilonLow } = config
  return { ...config, surrogate: surrogateOf(config.lossType), epsilonLow, epsilonHigh }
}

/** What is allowed, but seldom meant. */
export function configWarnings(config: GRPOValues): string[] {
  const { lossType, importanceSamplingLevel: level, dynamicSampling, beta, syncRefModel } = config
  const sums: readonly LossType[] = ['bnpo', 'dr_grpo', 'dapo', 'cispo']
  return [
    ...samplingWarnings(config),
    ...(lossType === 'luspo' && level === 'token'
      ? ["lossType 'luspo' is meant for importanceSamplingLevel 'sequence'"]
      : []),
    ...(lossType === 'vespo' && level === 'sequence'
      ? ["lossType 'vespo' weighs whole sequences by itself: leave importanceSamplingLevel at 'token'"]
      : []),
    ...(level === 'sequence' && sums.includes(lossType)
      ? [`importanceSamplingLevel 'sequence' with lossType '${lossType}' weighs long completions more; 'grpo' is GSPO`]
      : []),
    ...(lossType === 'cispo' && (config.epsilonHigh ?? config.epsilon) < 1
      ? ["lossType 'cispo': epsilonHigh is the largest weight itself; below 1 it damps every token (its paper: 5)"]
      : []),
    ...(dynamicSampling !== 'off' && beta > 0
      ? [`dynamicSampling '${dynamicSampling}' leaves equal groups out of the KL penalty too`]
      : []),
    ...(syncRefModel && beta === 0 ? ['syncRefModel does nothing while beta is 0'] : []),
  ]
}

/** Learning uses the whole distribution; what these options cut off is sampled from another one. */
function samplingWarnings({ topK, topP, minP = 0, repetitionPenalty }: GRPOValues): string[] {
  const cut = Object.entries({
    topK: topK > 0,
    topP: topP < 1,
    minP: minP > 0,
    repetitionPenalty: repetitionPenalty !== 1,
  })
  const names = cut.flatMap(([name, isOn]) => (isOn ? [name] : []))
  if (names.length === 0) return []
  return [
    `${names.join(', ')}: the policy that samples is not the one that learns; log-probabilities ignore it, as in TRL`,
  ]
}

/** How many prompts, completions and updates a generation batch has. */
export interface BatchAlgebra {
  readonly promptsPerBatch: number
  readonly groupsPerUpdate: number
  /** Optimizer steps over the batch once; `numIterations` times as many in all. */
  readonly updates: number
  /** Slices of `perDeviceTrainBatchSize` completions in the batch. */
  readonly stepsPerGeneration: number
}

/** TRL's batch algebra on one device, with whole groups in every update (TRL shuffles across groups). */
export function batchAlgebra(config: GRPOValues): BatchAlgebra {
  const { numGenerations, perDeviceTrainBatchSize: slice, gradientAccumulationSteps: accumulation } = config
  if (config.generationBatchSize !== undefined && config.stepsPerGeneration !== undefined) {
    throw wrong('generationBatchSize, stepsPerGeneration: expected one of them, got both')
  }
  const stepsPerGeneration =
    config.stepsPerGeneration ??
    (config.generationBatchSize === undefined ? accumulation : config.generationBatchSize / slice)
  const completions = slice * stepsPerGeneration
  const perUpdate = slice * accumulation
  if (!Number.isInteger(stepsPerGeneration)) {
    throw wrong(`generationBatchSize: expected a multiple of perDeviceTrainBatchSize ${slice}, got ${completions}`)
  }
  if (stepsPerGeneration % accumulation !== 0) {
    throw wrong(
      `stepsPerGeneration: expected a multiple of gradientAccumulationSteps ${accumulation}, got ${stepsPerGeneration}`,
    )
  }
  if (perUpdate % numGenerations !== 0) {
    throw wrong(
      `perDeviceTrainBatchSize x gradientAccumulationSteps = ${perUpdate}: expected a multiple of numGenerations ${numGenerations}`,
    )
  }
  return {
    promptsPerBatch: completions / numGenerations,
    groupsPerUpdate: perUpdate / numGenerations,
    updates: stepsPerGeneration / accumulation,
    stepsPerGeneration,
  }
}

/** Whether the policy will have changed by the time it learns from what it sampled, or is compared with its sampler. */
export function needsOldLogps(config: GRPOValues): boolean {
  return batchAlgebra(config).updates * config.numIterations > 1 || config.importanceSamplingCorrection
}

/** Whether each step leaves tokens out by what the policy says of them then. */
export function masksTokens({ topEntropyQuantile, offPolicyMaskThreshold }: GRPOValues): boolean {
  return topEntropyQuantile < 1 || offPolicyMaskThreshold !== undefined
}
