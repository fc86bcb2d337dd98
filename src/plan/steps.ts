/** What an optimizer step of each algorithm computes, from its options and the sizes of its rows. Pure. */
import { countBatches } from '../data/loader.js'
import type { TrainingValues } from '../train/config.js'
import { comparesBatch, type DPOValues, resolveDPOConfig } from '../train/dpo/config.js'
import { batchAlgebra, type GRPOValues, masksTokens, needsOldLogps, resolveGRPOConfig } from '../train/grpo/config.js'
import { countSteps } from '../train/schedule.js'
import { learnsPrompt, resolveSFTConfig, type SFTValues } from '../train/sft/config.js'
import type { RowSize } from './sizes.js'
import type { Workload } from './workload.js'

export type AlgorithmName = 'grpo' | 'sft' | 'dpo'

/** One algorithm's options, and what follows from them. */
export interface StepPlan {
  readonly config: TrainingValues
  /** Columns of a row with given answers. */
  readonly answers: readonly string[]
  /** Scores under a policy that does not train. */
  readonly needsReference: boolean
  /** Places for rows in a batch of examples, and the optimizer steps that it feeds. */
  readonly batch: {
    readonly rows: number
    readonly updates: number
    readonly lastBatch: 'drop' | 'keep'
    /** Its prompts are made while the batch before it is learned from: `encodeAhead` in src/train/loop.ts. */
    readonly isReadAhead: boolean
  }
  /** Rows of this size that a place holds: more than one where rows are packed. */
  readonly rowsPerPlace: (size: RowSize) => number
  /** What is kept of the media is the caller's. */
  readonly workload: (size: RowSize) => Omit<Workload, 'heldMedia' | 'keptMediaTokens'>
}

/** Checks the options; throws as the algorithm's trainer does. */
export function planSteps(algorithm: AlgorithmName, args: Readonly<Record<string, unknown>>): StepPlan {
  if (algorithm === 'grpo') return grpoSteps(resolveGRPOConfig(args))
  return algorithm === 'sft' ? sftSteps(resolveSFTConfig(args)) : dpoSteps(resolveDPOConfig(args))
}

function grpoSteps(config: GRPOValues): StepPlan {
  const { promptsPerBatch, groupsPerUpdate, updates } = batchAlgebra(config)
  const { numIterations, beta, numGenerations, maxCompletionLength } = config
  return {
    config,
    answers: [],
    needsReference: beta > 0,
    batch: { rows: promptsPerBatch, updates: updates * numIterations, lastBatch: 'drop', isReadAhead: true },
    rowsPerPlace: () => 1,
    workload: ({ prompt }) => ({
      prompt,
      completions: numGenerations,
      completionTokens: maxCompletionLength,
      learnsPrompt: false,
      prompts: groupsPerUpdate,
      promptsPerMedia: config.promptsPerMedia,
      generation: { prompts: promptsPerBatch, updates: updates * numIterations, atOnce: updates === 1 },
      scoring: {
        reference: Number(beta > 0) / numIterations,
        policy: Number(needsOldLogps(config)) / numIterations + Number(masksTokens(config)),
      },
      headTwice: config.importanceSamplingLevel === 'sequence' || config.lossType === 'vespo',
    }),
  }
}

function sftSteps(config: SFTValues): StepPlan {
  const rows = config.perDeviceTrainBatchSize * config.gradientAccumulationSteps
  return {
    config,
    answers: ['completion'],
    needsReference: false,
    batch: { rows, updates: 1, lastBatch: 'keep', isReadAhead: !config.packing },
    rowsPerPlace: (size) => rowsPerPlace(size, config),
    workload: (size) => ({
      ...givenAnswers(size, config),
      completions: 1,
      completionTokens: answerTokens(size, config.maxLength),
      learnsPrompt: learnsPrompt(config, size.turns),
      prompts: rows * rowsPerPlace(size, config),
      scoring: { reference: 0, policy: 0 },
      headTwice: config.lossType === 'dft',
    }),
  }
}

function rowsPerPlace(size: RowSize, { packing, maxLength }: SFTValues): number {
  if (!packing) return 1
  return Math.max(1, Math.floor(maxLength / (size.prompt.tokens + answerTokens(size, maxLength))))
}

function dpoSteps(config: DPOValues): StepPlan {
  const rows = config.perDeviceTrainBatchSize * config.gradientAccumulationSteps
  return {
    config,
    answers: ['chosen', 'rejected'],
    needsReference: !config.precomputeRefLogProbs,
    batch: { rows, updates: 1, lastBatch: 'keep', isReadAhead: true },
    rowsPerPlace: () => 1,
    workload: (size) => ({
      ...givenAnswers(size, config),
      completions: 2,
      completionTokens: answerTokens(size, config.maxLength),
      learnsPrompt: false,
      prompts: rows,
      scoring: { reference: Number(!config.precomputeRefLogProbs), policy: Number(comparesBatch(config)) },
      headTwice: true,
    }),
  }
}

function givenAnswers({ prompt }: RowSize, { promptsPerMedia }: TrainingValues) {
  return { prompt, promptsPerMedia }
}

/** Answers are cut at `maxLength` tokens with their prompt; 0 = no limit. */
function answerTokens({ prompt, answer }: RowSize, maxLength: number): number {
  return Math.max(1, maxLength > 0 ? Math.min(answer, maxLength - prompt.tokens) : answer)
}

/** Optimizer steps of a run over so many rows of this size. */
export function countRunSteps({ config, batch, rowsPerPlace }: StepPlan, length: number, size: RowSize): number {
  const places = Math.ceil(length / rowsPerPlace(size))
  return countSteps(config, countBatches({ ...batch, length: places, batchSize: batch.rows }) * batch.updates)
}
