/**
 * Group relative policy optimisation: sample a group of completions per prompt, score them, learn from how much better
 * than its group each one is. DeepSeekMath (arXiv 2402.03300) section 4.1; TRL 1.13's `GRPOTrainer` names and arithmetic.
 */
import { InputError } from '../../errors.js'
import type { TokenStats } from '../../native.js'
import type { Reference } from '../../policy.js'
import type { Algorithm, RunContext, Unit } from '../algorithm.js'
import type { Meter } from '../meter.js'
import { syncReference } from '../reference-sync.js'
import { scoringOf } from '../scoring.js'
import { timed } from '../timing.js'
import { sequencesOf } from '../units.js'
import { batchAlgebra, type GRPOValues, masksTokens, needsOldLogps } from './config.js'
import type { CustomLoss } from './custom-loss.js'
import { EntropyControl } from './entropy-control.js'
import { makeCustomObjective, makeObjective } from './objective.js'
import type { GRPOSample } from './sample.js'
import { samplerRatios } from './sampler-ratio.js'
import { countRolloutTokens, type Group, logRows, type SamplingParts, sampleGroups } from './sampling.js'
import { isNearPolicy, maskBySlice } from './token-masks.js'
import { entropyWeights, tokenWeights } from './weights.js'

export interface GRPOParts extends SamplingParts {
  /** Needed when beta > 0. */
  readonly reference?: Reference
  /** In place of the loss that `config` describes. */
  readonly loss?: CustomLoss
}

type GRPOUnit = Unit<GRPOSample>

/** Throws an InputError when beta > 0 comes without a reference. */
export function grpo(parts: GRPOParts): Algorithm<GRPOSample> {
  const { config, loss, reference } = parts
  if (config.beta > 0 && !reference)
    throw new InputError('[grpo] beta > 0 needs a reference policy: give one, or beta 0')
  const control = new EntropyControl(config)
  const sync = syncReference(reference, config)
  return {
    name: 'grpo',
    temperature: config.temperature,
    prepare: (indices, run) => prepare(indices, run, parts),
    refresh: masksTokens(config) ? (units, run) => maskTokens(units, run, config) : undefined,
    loss: (samples) =>
      loss ? makeCustomObjective(samples, loss, config, control) : makeObjective(samples, config, control),
    async afterUpdate(step, run) {
      control.update(run.meter)
      await sync.afterUpdate(step, run)
    },
    async save(dir) {
      control.save(dir)
      await sync.save(dir)
    },
    async restore(dir) {
      control.restore(dir)
      await sync.restore(dir)
    },
  }
}

async function prepare(indices: readonly number[], run: RunContext, parts: GRPOParts) {
  const { config } = parts
  const { sampled, groups, warnings } = await sampleGroups(indices, run, parts)
  const updates = shareOut(groups, batchAlgebra(config).updates).map((update) => {
    return update.filter((group) => isKept(group, config))
  })
  const units: GRPOUnit[][] = []
  for (const update of weigh(updates, config)) units.push(await addLogps(update, parts, run))
  return {
    updates: Array.from({ length: config.numIterations }, () => units).flat(),
    tokens: sampled.reduce((sum, { rollout }) => sum + countRolloutTokens(rollout, config.numGenerations), 0),
    rows: logRows(sampled, run.step, config),
    warnings,
  }
}

/**
 * The groups in equal parts; where rows were left out, in parts that differ by one at most. Where fewer groups than parts are
 * left, some parts are empty: the run keeps its number of steps, and `takeUpdate` says what such a one does.
 */
function shareOut(groups: readonly Group[], parts: number): Group[][] {
  const cut = (part: number) => Math.floor((part * groups.length) / parts)
  return Array.from({ length: parts }, (_, part) => groups.slice(cut(part), cut(part + 1)))
}

function isKept(group: Group, config: GRPOValues): boolean {
  return config.dynamicSampling === 'off' || !group.flat
}

/** Counts every normaliser, then leaves out what has no weight. */
function weigh(updates: readonly (readonly Group[])[], config: GRPOValues): GRPOUnit[][] {
  const { lossType, maxCompletionLength, perDeviceTrainBatchSize: sliceSize } = config
  const lengthsOf = (groups: readonly Group[]) => groups.flatMap(({ members }) => members.map(({ length }) => length))
  const tokens = lengthsOf(updates.flat()).reduce((sum, length) => sum + length, 0)
  return updates.map((groups) => {
    const lengths = lengthsOf(groups)
    const weights = tokenWeights(lengths, {
      lossType,
      sliceSize,
      maxCompletionLength,
      dapoTokens: tokens / updates.length,
    })
    const shares = entropyWeights(lengths, sliceSize)
    let next = 0
    return groups.map(({ index, prompt, members }) => {
      const samples = members.map(({ sample }) => {
        const i = next++
        return { ...sample, weight: weights[i] ?? 0, entropyWeight: shares[i] ?? 0, slice: Math.floor(i / sliceSize) }
      })
      return { index, prompt, samples: samples.filter(({ weight }) => weight > 0) }
    })
  })
}

/** Scores the samples under the sampling policy, if it will have changed, and under the reference, if there is one. */
async function addLogps(units: readonly GRPOUnit[], parts: GRPOParts, run: RunContext): Promise<GRPOUnit[]> {
  const { config, reference } = parts
  const sequences = sequencesOf(units)
  const [old, ref] = await timed(run, 'logps', async () => [
    needsOldLogps(config) ? await scoreUnits(units, run, config) : [],
    config.beta > 0 && reference ? await reference.score(sequences, scoringOf(config, run.signal)) : [],
  ])
  return mapSamples(units, (sample, i) => ({ ...sample, ...pickLogps(sample, old[i], ref[i], config, run.meter) }))
}

function pickLogps(
  { samplingLogps }: GRPOSample,
  old: TokenStats | undefined,
  ref: TokenStats | undefined,
  config: GRPOValues,
  meter: Meter,
) {
  const refLogps = ref ? { refLogps: ref.logps } : {}
  if (!old) return refLogps
  if (!config.importanceSamplingCorrection) return { ...refLogps, oldLogps: old.logps }
  const {
    importanceSamplingMode: mode,
    importanceSamplingClipMin: clipMin,
    importanceSamplingClipMax: clipMax,
  } = config
  const ratios = samplerRatios(old.logps, samplingLogps, { mode, clipMin, clipMax })
  // One ratio per sequence counts once, whatever its length.
  measureRatios(mode.startsWith('sequence') ? ratios.subarray(0, 1) : ratios, meter)
  return { ...refLogps, oldLogps: old.logps, samplerRatios: ratios }
}

function measureRatios(ratios: Float32Array, meter: Meter): void {
  for (const ratio of ratios) {
    meter.min('sampling/importance_sampling_ratio/min', ratio)
    meter.mean('sampling/importance_sampling_ratio/mean', ratio)
    meter.max('sampling/importance_sampling_ratio/max', ratio)
  }
}

/** The masks of `token-masks.ts` under the policy as it is before this step; entropies are compared slice by slice. */
async function maskTokens(units: readonly GRPOUnit[], run: RunContext, config: GRPOValues): Promise<GRPOUnit[]> {
  const stats = await scoreUnits(units, run, config)
  const slices = units.flatMap(({ samples }) => samples.map(({ slice }) => slice))
  const entropyMasks = maskBySlice(
    slices,
    stats.map(({ entropy }) => entropy),
    config.topEntropyQuantile,
  )
  const { offPolicyMaskThreshold: threshold } = config
  return mapSamples(units, (sample, i) => {
    const logps = stats[i]?.logps ?? new Float32Array(0)
    const isNear = isNearPolicy(logps, sample.samplingLogps, { advantage: sample.advantage, threshold })
    const { mask, share } = entropyMasks[i] ?? { mask: new Float32Array(0), share: 1 }
    const policyMask = mask.map((value) => value * Number(isNear))
    return { ...sample, entropyMask: mask, policyMask, entropyWeight: sample.entropyWeight / share }
  })
}

function scoreUnits(units: readonly GRPOUnit[], run: RunContext, config: GRPOValues): Promise<TokenStats[]> {
  return run.policy.scoreAll(sequencesOf(units), scoringOf(config, run.signal))
}

/** The units with each sample changed; `i` counts samples over all units. */
function mapSamples(units: readonly GRPOUnit[], change: (sample: GRPOSample, i: number) => GRPOSample): GRPOUnit[] {
  let next = 0
  return units.map((unit) => ({ ...unit, samples: unit.samples.map((sample) => change(sample, next++)) }))
}
