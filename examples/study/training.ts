/** How each method trains. What the paper states is kept; what it does not is ours, the same for all where it can be. */
import {
  type DPOConfig,
  DPOTrainer,
  type Encode,
  type GRPOConfig,
  GRPOTrainer,
  type Policy,
  progress,
  runFolder,
  type SFTConfig,
  SFTTrainer,
  type TrainOptions,
  type TrainResult,
} from 'vsgrpo'
import { type Dataset, preferencePairs } from 'vsgrpo/data'
import { accuracyReward, formatReward, relativeAccuracyReward } from 'vsgrpo/rewards'
import type { Cell } from './cells.js'
import { completionTokens } from './modes.js'
import { mediaKey } from './room-rows.js'
import { trainedKinds } from './rooms.js'
import type { Size } from './sizes.js'

/** Chosen by `npm run study -- --tune` on development rooms, as README.md says. */
const learningRates = { sft: 1e-4, dpo: 1e-5, grpo: 3e-4 } as const

/** The paper has 14; fewer make a step that two cores can do. */
export const numGenerations = 8

export interface Training {
  readonly cell: Cell
  readonly size: Size
  readonly steps: number
  readonly policy: Policy
  readonly dataset: Dataset
  readonly encode: Encode
  readonly outputDir: string
  readonly signal: AbortSignal
}

type Plan = Pick<Training, 'cell' | 'size' | 'steps'>

/** The options of a cell's run, as its result states them; none for the base. */
export function argsOf(plan: Plan): SFTConfig | DPOConfig | GRPOConfig {
  const { method } = plan.cell
  return method === 'base' ? {} : method === 'grpo' ? grpoArgs(plan) : answerArgs(plan)
}

/** Of SFT and DPO. */
function answerArgs({ cell, size, steps }: Plan) {
  return {
    seed: cell.seed,
    maxSteps: steps,
    perDeviceTrainBatchSize: size.roomsPerStep * trainedKinds.length,
    promptsPerMedia: trainedKinds.length,
    tokensPerMicroBatch: 100_000,
    learningRate: cell.learningRate ?? learningRates[cell.method === 'base' ? 'sft' : cell.method],
    lrSchedulerType: 'linear',
    warmupSteps: Math.min(10, Math.ceil(steps / 10)),
    saveSteps: Math.ceil(steps / 4),
    saveTotalLimit: 1,
  } as const
}

function grpoArgs(plan: Plan) {
  const common = answerArgs(plan)
  return {
    ...common,
    perDeviceTrainBatchSize: common.perDeviceTrainBatchSize * numGenerations,
    numGenerations,
    maxCompletionLength: completionTokens[plan.cell.mode],
    temperature: 1,
    beta: plan.cell.beta ?? 0,
    // As the paper's objective: each completion's mean over its tokens.
    lossType: 'grpo',
    numCompletionsToPrint: 8,
  } as const
}

/** Trains a cell, going on from its newest checkpoint when told so. */
export function train(training: Training, resume: TrainOptions): Promise<TrainResult> {
  const { cell, policy, dataset, encode, outputDir, signal } = training
  const shared = { model: policy, encode, mediaKey, signal, reporters: [runFolder(outputDir), progress()] }
  if (cell.method === 'grpo') {
    const args = { ...grpoArgs(training), outputDir }
    return new GRPOTrainer({ ...shared, trainDataset: dataset, ...rewardsOf(cell), args }).train(resume)
  }
  const args = { ...answerArgs(training), outputDir }
  if (cell.method === 'sft') return new SFTTrainer({ ...shared, trainDataset: dataset, args }).train(resume)
  const pairs = preferencePairs(dataset, { seed: cell.seed })
  return new DPOTrainer({ ...shared, trainDataset: pairs, args }).train(resume)
}

/**
 * The paper's rewards: equality for words, its ratio for numbers, the format beside them; for vanilla prompts the format is
 * only watched, with weight 0.
 */
function rewardsOf({ mode }: Cell) {
  return {
    rewardFuncs: [
      accuracyReward({ field: 'word' }),
      relativeAccuracyReward({ field: 'number', measure: 'ratio' }),
      formatReward(mode),
    ],
    rewardWeights: [1, 1, mode === 'vanilla' ? 0 : 1],
  }
}
