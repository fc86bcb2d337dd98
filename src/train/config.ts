/**
 * The options of a run under TRL 1.13's names, in camelCase and with TRL's defaults. Where ours differ: `loggingSteps` 1
 * (TRL 10), `logCompletions` true (TRL false), and `outputDir` has no default: without it nothing is written.
 */
import { InputError } from '../errors.js'
import { choice, type Fields, flag, integer, number, resolveFields, text, type Values } from './fields.js'

/** What every algorithm's run has. */
const trainingFields = {
  /** The run folder: configuration, metrics, completions, checkpoints. Without it nothing is written. */
  outputDir: text(),
  /** Passes over the dataset; `maxSteps` > 0 overrides it. */
  numTrainEpochs: number(3, 0),
  /** Optimizer steps; -1 = as many as the epochs have. */
  maxSteps: integer(-1, -1),
  /** Completions in a slice; with `gradientAccumulationSteps` it makes the batch of an optimizer step. */
  perDeviceTrainBatchSize: integer(8, 1),
  /** Slices in the batch of an optimizer step. */
  gradientAccumulationSteps: integer(1, 1),
  /** Prompts that an evaluation works on at a time. Changes no result. */
  perDeviceEvalBatchSize: integer(8, 1),
  /** Packed rows of a forward and backward pass: bounds memory, changes no result. */
  tokensPerMicroBatch: integer(8192, 1),
  lrSchedulerType: choice('linear', ['linear', 'cosine', 'constant', 'constant_with_warmup']),
  /** Steps over which the learning rate rises from 0. */
  warmupSteps: integer(0, 0),
  /** The same as a part of all steps, where `warmupSteps` is 0. */
  warmupRatio: number(0, 0, 1),
  /** Decoupled (AdamW), on matrices only. */
  weightDecay: number(0, 0),
  adamBeta1: number(0.9, 0, 1),
  adamBeta2: number(0.999, 0, 1),
  adamEpsilon: number(1e-8, 0),
  /** Gradients are scaled down to this norm. */
  maxGradNorm: number(1, 0),
  /** Of the data order and of sampling. */
  seed: integer(42, 0),
  shuffleDataset: flag(true),
  /** Rows about the same media that stay neighbours in the shuffled order, so that their encoding is shared. */
  promptsPerMedia: integer(1, 1),
  /** Optimizer steps between two log rows; a row holds their means. */
  loggingSteps: integer(1, 1),
  saveStrategy: choice('steps', ['steps', 'no']),
  /** Optimizer steps between two checkpoints; the last step always has one. */
  saveSteps: integer(500, 1),
  /** Checkpoints kept, newest first; unset = all. */
  saveTotalLimit: integer(undefined, 1),
  /** Optimizer steps between two evaluations; unset = none during training. */
  evalSteps: integer(undefined, 1),
  /** Whether to evaluate before the first step too. */
  evalOnStart: flag(false),
} satisfies Fields

const grpoFields = {
  ...trainingFields,
  learningRate: number(1e-6, 0),
  /** Completions per prompt: the group. */
  numGenerations: integer(8, 2),
  /** Completions per prompt in evaluations, sampled as in training; unset = one, greedy. */
  numGenerationsEval: integer(undefined, 1),
  /** Tokens of a completion at most. */
  maxCompletionLength: integer(512, 1),
  /** Of sampling and of every log-probability. */
  temperature: number(1, 1e-3),
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
  epsilon: number(0.2, 1e-12),
  /** … and above 1 + epsilonHigh; unset = epsilon. */
  epsilonHigh: number(undefined, 1e-12),
  /** How tokens are averaged: over the batch (dapo), the slice (bnpo), each completion (grpo), or a constant (dr_grpo). */
  lossType: choice('dapo', ['dapo', 'grpo', 'bnpo', 'dr_grpo']),
  scaleRewards: choice('group', ['group', 'batch', 'none']),
  /** Leave completions that were cut at `maxCompletionLength` out of the loss. */
  maskTruncatedCompletions: flag(false),
  /** 'drop' leaves groups whose rewards are all equal out of the batch and its averages. */
  dynamicSampling: choice('off', ['off', 'drop']),
  logCompletions: flag(true),
  /** Completions logged per generation batch; unset = all. */
  numCompletionsToPrint: integer(undefined, 1),
} satisfies Fields

const sftFields = { ...trainingFields, learningRate: number(2e-5, 0) } satisfies Fields

export type TrainingValues = Values<typeof trainingFields> & { readonly learningRate: number }
export type GRPOValues = Values<typeof grpoFields>
export type SFTValues = Values<typeof sftFields>
/** Options of `GRPOTrainer`; all have defaults. */
export type GRPOConfig = Partial<GRPOValues>
/** Options of `SFTTrainer`; all have defaults. */
export type SFTConfig = Partial<SFTValues>

/** All options of a GRPO run; throws an InputError for unknown names, bad values and batches that do not divide. */
export function resolveGRPOConfig(given: Readonly<Record<string, unknown>> = {}): GRPOValues {
  // TRL takes booleans too: true = group, false = none.
  const scale = { true: 'group', false: 'none' }[String(given.scaleRewards)]
  const values = resolveFields(grpoFields, scale ? { ...given, scaleRewards: scale } : given)
  batchAlgebra(values)
  return values
}

/** All options of an SFT run; throws an InputError for unknown names and bad values. */
export function resolveSFTConfig(given: Readonly<Record<string, unknown>> = {}): SFTValues {
  return resolveFields(sftFields, given)
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

function wrong(message: string): InputError {
  return new InputError(`[args] ${message}`, { code: 'ERR_VSGRPO_CONFIG' })
}
