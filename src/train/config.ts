/**
 * The options of a run under TRL 1.13's names, in camelCase and with TRL's defaults. Where ours differ: `loggingSteps` 1
 * (TRL 10), `logCompletions` true (TRL false), and `outputDir` has no default: without it nothing is written.
 */
import {
  choice,
  type Fields,
  flag,
  integer,
  number,
  numberBelow,
  numbers,
  optionalFlag,
  positive,
  steps,
  text,
  type Values,
} from './fields.js'
import { type LrSchedulerType, lrSchedulerTypes, schedulerKwargs } from './schedule.js'

/** What every algorithm's run has. */
export const trainingFields = {
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
  /**
   * Rows that cannot be used (missing media, a prompt over the limit; for SFT and DPO no answer, for DPO equal answers): stop the
   * run, or leave them out and count them as `skipped_rows`.
   */
  onUnusableRow: choice('stop', ['stop', 'skip']),
  /** Prompts that an evaluation works on at a time. Changes no result. */
  perDeviceEvalBatchSize: integer(8, 1),
  /** Packed rows of a forward and backward pass: bounds memory, changes no result. */
  tokensPerMicroBatch: integer(8192, 1),
  lrSchedulerType: choice<LrSchedulerType>('linear', lrSchedulerTypes),
  /** What some schedules take: `numCycles`, `power`, `lrEnd`, `minLr`, `minLrRate`; see `schedule.ts`. */
  lrSchedulerKwargs: numbers(schedulerKwargs),
  /** Steps over which the learning rate rises from 0; below 1, a part of all steps. */
  warmupSteps: steps(0, 0),
  /** The same as a part of all steps, where `warmupSteps` is 0. */
  warmupRatio: number(0, 0, 1),
  /** Decoupled (AdamW), on matrices only. */
  weightDecay: number(0, 0),
  /** Below 1: AdamW divides by 1 - beta^t, and at 1 the first step would make every weight NaN. */
  adamBeta1: numberBelow(0.9, 0, 1),
  adamBeta2: numberBelow(0.999, 0, 1),
  /** Above 0: a weight without a gradient, such as the embedding of a token that no row has, is divided by it alone. */
  adamEpsilon: positive(1e-8),
  /**
   * In what AdamW keeps its two moments. 'bfloat16', rounded stochastically, takes half the memory. 'int8', as bitsandbytes'
   * AdamW8bit (transformers' `optim: 'adamw_8bit'`), takes a quarter: 8-bit codes with an absmax for every 256 values; parameters
   * of fewer than 4096 values stay in float32. Embeddings are coded too, where bitsandbytes advises float32 for them: they are
   * a model's largest part. Not in TRL under this name.
   */
  optimStateDtype: choice('float32', ['float32', 'bfloat16', 'int8']),
  /**
   * In what gradients accumulate over micro-batches; 'bfloat16', as torch keeps those of a bfloat16 model, takes half the
   * memory. Not in TRL.
   */
  gradDtype: choice('float32', ['float32', 'bfloat16']),
  /** Gradients are scaled down to this norm; 0 = never, as in transformers. */
  maxGradNorm: number(1, 0),
  /** Seed of the data order and of sampling. */
  seed: integer(42, 0),
  shuffleDataset: flag(true),
  /** Rows about the same media that stay neighbours in the shuffled order, so that their encoding is shared. */
  promptsPerMedia: integer(1, 1),
  /** Optimizer steps between two log rows; a row holds their means. Here and below: a number below 1 is a part of all steps. */
  loggingSteps: steps(1, 1),
  /** 'tensorboard' writes event files into `outputDir` too. */
  reportTo: { ...choice('none', ['none', 'tensorboard']), read: onlyOne },
  saveStrategy: choice('steps', ['steps', 'no']),
  /** Optimizer steps between two checkpoints; the last step always has one. */
  saveSteps: steps(500, 1),
  /** Checkpoints kept, newest first; unset = all. */
  saveTotalLimit: integer(undefined, 1),
  /** Optimizer steps between two evaluations; the last step always has one. Unset = none during training. */
  evalSteps: steps(undefined, 1),
  /** Whether to evaluate before the first step too. That one is never the best. */
  evalOnStart: flag(false),
  /** The evaluation metric by which checkpoints are compared, with or without `eval_`; unset = none is the best. */
  metricForBestModel: text(),
  /** Unset: true, unless the metric's name ends in 'loss'. */
  greaterIsBetter: optionalFlag(),
  /** Puts the weights of the best checkpoint back when the run ends. */
  loadBestModelAtEnd: flag(false),
  /** Keep only the inputs of the layers for the backward pass and run them again there: less memory, more time. */
  gradientCheckpointing: flag(false),
} satisfies Fields

export type TrainingValues = Values<typeof trainingFields> & { readonly learningRate: number }

/** TRL's `report_to` may be a list. */
function onlyOne(value: unknown): unknown {
  if (!Array.isArray(value) || value.length > 1) return value
  return value[0] ?? 'none'
}
