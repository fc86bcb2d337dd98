/**
 * Group relative policy optimisation: sample a group of completions per prompt, score them, learn from how much better
 * than its group each one is. DeepSeekMath (arXiv 2402.03300) section 4.1; TRL 1.13's `GRPOTrainer` names and arithmetic.
 */
import { chunks } from '../data/loader.js'
import { type GrpoInputs, grpoMetrics } from '../losses/grpo.js'
import type { BackwardResult, TokenStats } from '../native.js'
import type { Reference, SampleOptions, ScoreOptions } from '../policy.js'
import type { RewardFunc } from '../rewards/reward.js'
import { computeAdvantages } from './advantages.js'
import type { Algorithm, Objective, RunContext, Sample, Unit } from './algorithm.js'
import { batchAlgebra, type GRPOValues } from './config.js'
import type { Meter } from './meter.js'
import { completionRows, measureRollout, type Rollout, rollOut } from './rollout.js'
import { tokenWeights } from './weights.js'

export interface GRPOSample extends Sample {
  readonly advantage: number
  /** Of each token in the loss: 1 / normaliser. */
  readonly weight: number
  /** [T] as the sampler computed them. */
  readonly samplingLogps: Float32Array
  /** [T] under the policy that sampled; absent when no update comes between sampling and learning. */
  readonly oldLogps?: Float32Array
  /** [T] under the reference policy; present when beta > 0. */
  readonly refLogps?: Float32Array
}

export interface GRPOOptions {
  readonly config: GRPOValues
  readonly rewards: readonly RewardFunc[]
  readonly rewardWeights?: readonly number[]
  /** Needed when beta > 0. */
  readonly reference?: Reference
}

export function grpo(options: GRPOOptions): Algorithm<GRPOSample> {
  const { config, rewards, rewardWeights: weights } = options
  const { groupsPerUpdate } = batchAlgebra(config)
  return {
    name: 'grpo',
    temperature: config.temperature,

    async prepare(indices: readonly number[], run: RunContext) {
      const keys = indices.map((index) => `${run.batchNumber} ${index}`)
      const sampling = { ...samplingOptions(config), numGenerations: config.numGenerations, keys }
      const rollout = await rollOut(indices, { ...run, rewards, weights, sampling })
      const { advantages, flat } = computeAdvantages(rollout.scores.totals, config)
      measureRollout(rollout, run.meter)
      run.meter.mean('frac_reward_zero_std', flat.filter(Boolean).length / flat.length)

      const groups = toGroups(rollout, advantages, flat, config)
      const updates = chunks(groups, groupsPerUpdate).map((update) => update.filter((group) => isKept(group, config)))
      const units: Unit<GRPOSample>[][] = []
      for (const update of weigh(updates, config)) units.push(await addLogps(update, options, run))
      return {
        updates: Array.from({ length: config.numIterations }, () => units).flat(),
        tokens: countTokens(rollout, config.numGenerations),
        rows: logRows(rollout, advantages, run.step, config),
      }
    },

    loss: (samples: readonly GRPOSample[]) => objective(samples, config),
  }
}

/** How a configuration samples: for training, and for evaluations with `numGenerationsEval`. */
export function samplingOptions(config: GRPOValues): SampleOptions {
  const { temperature, topK, topP, minP = 0, repetitionPenalty, maxCompletionLength: maxNewTokens, seed } = config
  return { temperature, topK, topP, minP, repetitionPenalty, maxNewTokens, seed }
}

/** A group before its tokens are weighed. */
interface Group {
  readonly index: number
  readonly prompt: Unit<GRPOSample>['prompt']
  /** All rewards are equal: nothing to learn but the KL penalty. */
  readonly flat: boolean
  /** `length` counts tokens in the loss: 0 for a completion that is masked. */
  readonly members: readonly { readonly sample: Omit<GRPOSample, 'weight'>; readonly length: number }[]
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

function isKept(group: Group, config: GRPOValues): boolean {
  return config.dynamicSampling === 'off' || !group.flat
}

/** Counts every normaliser, then leaves out what has no weight. */
function weigh(updates: readonly (readonly Group[])[], config: GRPOValues): Unit<GRPOSample>[][] {
  const lengthsOf = (groups: readonly Group[]) => groups.flatMap(({ members }) => members.map(({ length }) => length))
  const tokens = lengthsOf(updates.flat()).reduce((sum, length) => sum + length, 0)
  return updates.map((groups) => {
    const weights = tokenWeights(lengthsOf(groups), {
      lossType: config.lossType,
      sliceSize: config.perDeviceTrainBatchSize,
      maxCompletionLength: config.maxCompletionLength,
      dapoTokens: tokens / updates.length,
    })
    const next = weights.values()
    return groups.map(({ index, prompt, members }) => {
      const samples = members.map(({ sample }) => ({ ...sample, weight: next.next().value ?? 0 }))
      return { index, prompt, samples: samples.filter(({ weight }) => weight > 0) }
    })
  })
}

/** Scores the samples under the sampling policy, if it will have changed, and under the reference, if there is one. */
async function addLogps(units: readonly Unit<GRPOSample>[], options: GRPOOptions, run: RunContext) {
  const { config, reference } = options
  const sequences = units.flatMap(({ prompt, samples }) => {
    return samples.map(({ completionIds }) => ({ prompt, completionIds }))
  })
  const { temperature, tokensPerMicroBatch: tokensPerBatch } = config
  const scoring: ScoreOptions = { temperature, tokensPerBatch, signal: run.signal }
  const isUpdatedMeanwhile = batchAlgebra(config).updates * config.numIterations > 1
  const old = isUpdatedMeanwhile ? await run.policy.scoreAll(sequences, scoring) : []
  const ref = config.beta > 0 && reference ? await reference.score(sequences, scoring) : []
  const scores = sequences.map((_, i) => pickLogps(old[i], ref[i])).values()
  return units.map((unit) => {
    return { ...unit, samples: unit.samples.map((sample) => ({ ...sample, ...scores.next().value })) }
  })
}

function pickLogps(old: TokenStats | undefined, ref: TokenStats | undefined) {
  return { ...(old ? { oldLogps: old.logps } : {}), ...(ref ? { refLogps: ref.logps } : {}) }
}

/** The fused loss's arguments over the samples' tokens, and TRL's metrics from the log-probabilities that come back. */
function objective(samples: readonly GRPOSample[], config: GRPOValues): Objective {
  const { beta, epsilon: epsilonLow, epsilonHigh = epsilonLow } = config
  const clip = { beta, epsilonLow, epsilonHigh }
  const lengths = samples.map(({ completionIds }) => completionIds.length)
  const inputs: Omit<GrpoInputs, 'logps'> = {
    weights: perToken(samples, ({ weight }) => weight),
    advantages: perToken(samples, ({ advantage }) => advantage),
    oldLogps: join(samples.map(({ oldLogps }) => oldLogps)),
    refLogps: join(samples.map(({ refLogps }) => refLogps)),
    offsets: Int32Array.from([0, ...runningSums(lengths)]),
  }
  const { offsets, ...perTokenInputs } = inputs
  return {
    backward: { loss: 'grpo', ...perTokenInputs, ...clip },
    measure(result: BackwardResult, meter: Meter): void {
      const tokens = result.logps.length
      for (const [name, value] of Object.entries(
        grpoMetrics({ ...perTokenInputs, offsets, logps: result.logps }, clip),
      )) {
        if (name.endsWith('_min')) meter.min(name, value)
        else if (name.endsWith('_max')) meter.max(name, value)
        else meter.mean(name, value, tokens)
      }
      meter.each('entropy', result.entropy)
      const trained = inputs.oldLogps ?? result.logps
      const sampled = join(samples.map(({ samplingLogps }) => samplingLogps)) ?? trained
      const differences = trained.map((logp, k) => Math.abs(logp - (sampled[k] ?? logp)))
      meter.each('sampling/sampling_logp_difference/mean', differences)
      for (const difference of differences) meter.max('sampling/sampling_logp_difference/max', difference)
    },
  }
}

function perToken(samples: readonly GRPOSample[], pick: (sample: GRPOSample) => number): Float32Array {
  return Float32Array.from(samples.flatMap((sample) => Array.from(sample.completionIds, () => pick(sample))))
}

/** Concatenates; undefined where there is none, as for all samples of a run. */
function join(parts: readonly (Float32Array | undefined)[]): Float32Array | undefined {
  if (parts.some((part) => part === undefined)) return undefined
  return Float32Array.from(parts.flatMap((part) => [...(part ?? [])]))
}

function runningSums(values: readonly number[]): number[] {
  let total = 0
  return values.map((value) => {
    total += value
    return total
  })
}

function countTokens({ prompts, completions }: Rollout, numGenerations: number): number {
  const promptTokens = prompts.reduce((sum, { ids }) => sum + ids.length, 0)
  return promptTokens * numGenerations + completions.reduce((sum, { ids }) => sum + ids.length, 0)
}

function logRows(rollout: Rollout, advantages: Float64Array, step: number, config: GRPOValues) {
  return config.logCompletions ? completionRows(rollout, advantages, step).slice(0, config.numCompletionsToPrint) : []
}
