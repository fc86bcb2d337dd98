/** The first half of a GRPO step: groups of completions for the rows of a batch, scored, with their advantages. */
import type { SampleOptions } from '../../policy.js'
import type { RewardFunc } from '../../rewards/reward.js'
import type { Prompt } from '../../types.js'
import type { RunContext, Sample } from '../algorithm.js'
import { readPrompts } from '../unusable-rows.js'
import { computeAdvantages } from './advantages.js'
import { batchAlgebra, type GRPOValues } from './config.js'
import { preflight } from './preflight.js'
import { completionRows, joinAnswers, measureRollout, type Rollout, rollOut } from './rollout.js'

/** How a configuration samples: for training, and for evaluations with `numGenerationsEval`. */
export function samplingOptions(config: GRPOValues): SampleOptions {
  const { temperature, topK, topP, minP = 0, repetitionPenalty, maxCompletionLength: maxNewTokens, seed } = config
  return { temperature, topK, topP, minP, repetitionPenalty, maxNewTokens, seed }
}

/** A completion as it was sampled, before its tokens are weighed. */
export interface SampledAnswer extends Sample {
  readonly advantage: number
  /** [T] under the distribution that was drawn from: `Completion.logps`. */
  readonly samplingLogps: Float32Array
}

/** The completions of one prompt. */
export interface Group {
  readonly index: number
  readonly prompt: Prompt
  /** All rewards are equal: nothing to learn but the KL penalty. */
  readonly flat: boolean
  /** `length` counts tokens in the loss: 0 for a completion that is masked. */
  readonly members: readonly { readonly sample: SampledAnswer; readonly length: number }[]
}

/** What sampling needs of the run's options. */
export interface SamplingParts {
  readonly config: GRPOValues
  readonly rewards: readonly RewardFunc[]
  readonly rewardWeights: readonly number[]
}

/** One group per usable row; with 'refill', flat groups give way to groups of further rows while there are rounds and rows left. */
export async function sampleGroups(indices: readonly number[], run: RunContext, options: SamplingParts) {
  const { config } = options
  const first = await sampleOnce(indices, run, options)
  const sampled = [...first.sampled]
  const warnings = [...(run.step === 1 ? preflightOf(first.sampled, config) : []), ...first.warnings]
  const groups = [...first.groups]
  let drawn = 0
  for (let round = 0; config.dynamicSampling === 'refill' && round < config.dynamicSamplingRounds; round++) {
    const places = groups.flatMap(({ flat }, place) => (flat ? [place] : []))
    const rows = run.further(places.length, drawn)
    if (rows.length === 0) break
    drawn += rows.length
    const further = await sampleOnce(rows, run, options)
    sampled.push(...further.sampled)
    warnings.push(...further.warnings)
    const fresh = further.groups.filter(({ flat }) => !flat)
    for (const [i, group] of fresh.entries()) groups.splice(places[i] ?? 0, 1, group)
  }
  if (sampled.length > 0) measureRollout(joinAnswers(sampled.map(({ rollout }) => rollout)), run.meter)
  return { sampled, groups, warnings }
}

/** Answers to a batch of rows, and what they are worth. */
export interface Sampled {
  readonly rollout: Rollout
  readonly advantages: Float64Array
  readonly flat: readonly boolean[]
}

function preflightOf(sampled: readonly Sampled[], { maxCompletionLength }: GRPOValues): string[] {
  return sampled.flatMap(({ rollout, flat }) => preflight({ ...rollout, flat, maxCompletionLength }))
}

/** Whether the first update after sampling learns from all that was sampled, in passes whose inputs stay in memory. */
function learnsAtOnce(config: GRPOValues): boolean {
  return batchAlgebra(config).updates === 1 && !config.gradientCheckpointing
}

/** `sampled` is empty where no row is usable. */
async function sampleOnce(
  rows: readonly number[],
  run: RunContext,
  options: SamplingParts,
): Promise<{ sampled: readonly Sampled[]; groups: readonly Group[]; warnings: readonly string[] }> {
  const { config, rewards, rewardWeights } = options
  const { indices, encode, warnings } = await readPrompts(rows, run.encode, { ...config, meter: run.meter })
  if (indices.length === 0) return { sampled: [], groups: [], warnings }
  const keys = indices.map((index) => `${run.batchNumber} ${index}`)
  const keepPromptsWithin = learnsAtOnce(config) ? config.tokensPerMicroBatch : 0
  const sampling = { ...samplingOptions(config), numGenerations: config.numGenerations, keys, keepPromptsWithin }
  const scoring = { weights: rewardWeights, timeout: config.rewardTimeout, onError: config.onRewardError }
  const rollout = await rollOut(indices, { ...run, encode, clock: run, rewards, scoring, sampling })
  const { advantages, flat, fracZeroStd } = computeAdvantages(rollout.scores, { ...config, rewardWeights })
  run.meter.mean('frac_reward_zero_std', fracZeroStd, indices.length)
  const { firstFailure } = rollout.scores
  const failures = firstFailure ? [`a reward failed and counts as null: ${firstFailure}`] : []
  const groups = toGroups(rollout, advantages, flat, config)
  return { sampled: [{ rollout, advantages, flat }], groups, warnings: [...warnings, ...failures] }
}

function toGroups(rollout: Rollout, advantages: Float64Array, flat: readonly boolean[], config: GRPOValues): Group[] {
  const size = config.numGenerations
  return rollout.prompts.map((prompt, p) => {
    const own = rollout.completions.slice(p * size, (p + 1) * size)
    const members = own.map(({ ids, logps, finishReason }, g) => {
      const masked = config.maskTruncatedCompletions && finishReason === 'length'
      const sample = { completionIds: ids, samplingLogps: logps, advantage: advantages[p * size + g] ?? 0 }
      return { sample, length: masked ? 0 : ids.length }
    })
    return { index: rollout.indices[p * size] ?? 0, prompt, flat: flat[p] ?? false, members }
  })
}

/** Prompt and completion tokens, each completion counted with its prompt. */
export function countRolloutTokens({ prompts, completions }: Rollout, numGenerations: number): number {
  const promptTokens = prompts.reduce((sum, { ids }) => sum + ids.length, 0)
  return promptTokens * numGenerations + completions.reduce((sum, { ids }) => sum + ids.length, 0)
}

/** The rows of the log, as many as the configuration shows. */
export function logRows(
  sampled: readonly { rollout: Rollout; advantages: Float64Array }[],
  step: number,
  config: GRPOValues,
) {
  if (!config.logCompletions) return []
  const rows = sampled.flatMap(({ rollout, advantages }) => completionRows(rollout, advantages, step))
  return rows.slice(0, config.numCompletionsToPrint)
}
