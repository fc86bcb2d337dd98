/** The DPO loss over the pairs of a micro-batch or of an evaluation, and TRL's metrics of it. */
import { chunks } from '../../data/loader.js'
import { groupBy } from '../../group-by.js'
import { type DpoInputs, dpoLoss, rankPairs, readPairs, wpoWeight } from '../../losses/dpo.js'
import { measurePairs } from '../../losses/dpo-metrics.js'
import { isSorting } from '../../losses/dpo-options.js'
import type { Opponents } from '../../losses/dpo-terms.js'
import type { BackwardResult, TokenStats } from '../../native.js'
import type { Objective } from '../algorithm.js'
import { join, offsetsOf } from '../flat.js'
import type { Meter } from '../meter.js'
import { scoringOf } from '../scoring.js'
import { sequencesOf } from '../units.js'
import { type DPOValues, dpoOptions } from './config.js'
import type { DPOSample, DPOUnit, PairContext } from './pairs.js'

/** Who gives log-probabilities, until a signal says stop. */
type Scorer = Pick<PairContext, 'policy' | 'signal'>

/** Log-probabilities come out first, the gradients of the loss go back in. */
export function makeObjective(samples: readonly DPOSample[], config: DPOValues): Objective {
  const given = joinSamples(samples)
  const options = dpoOptions(config)
  return {
    backward(stats: TokenStats) {
      const { loss: value, dlogps } = dpoLoss(
        { ...given, ...pairWeights(samples, given, stats), logps: stats.logps },
        options,
      )
      return { value, gradients: { loss: 'external', dlogps } }
    },
    measure: (result: BackwardResult, meter: Meter) =>
      measure({ ...given, logps: result.logps }, result, config, meter),
  }
}

/**
 * What a pair's loss takes from the policy as it is now, beyond its own log-probabilities: opponents from the pairs of its
 * slice, which TRL sorts one by one, and the log-probabilities at temperature 1/2 for WPO.
 */
export async function compareBatch(
  units: readonly DPOUnit[],
  { policy, signal }: Scorer,
  config: DPOValues,
): Promise<DPOUnit[]> {
  const scoring = scoringOf(config, signal)
  const half = await scoreForWpo(units, { policy, signal }, config)
  const now = config.lossType.some(isSorting) ? await policy.scoreAll(sequencesOf(units), scoring) : []
  const opponents = now.length > 0 ? rankSlices(units, now, config) : []
  return units.map((unit, u) => {
    const samples = unit.samples.map((sample, side) => {
      return { ...sample, opponents: opponents[u], halfTemperatureLogps: half[2 * u + side]?.logps }
    })
    return { ...unit, samples }
  })
}

/** At temperature 1/2; empty without WPO. */
async function scoreForWpo(
  units: readonly DPOUnit[],
  { policy, signal }: Scorer,
  config: DPOValues,
): Promise<readonly TokenStats[]> {
  if (!config.useWeighting) return []
  return policy.scoreAll(sequencesOf(units), { ...scoringOf(config, signal), temperature: 0.5 })
}

function rankSlices(units: readonly DPOUnit[], stats: readonly TokenStats[], config: DPOValues): Opponents[] {
  const slices = groupBy(units.keys(), (u) => units[u]?.samples[0]?.slice ?? 0)
  const opponents: Opponents[] = []
  for (const members of slices.values()) {
    const samples = members.flatMap((u) => units[u]?.samples ?? [])
    const logps = join(
      members.flatMap((u) => stats.slice(2 * u, 2 * u + 2)),
      (one) => one.logps,
    )
    const ranked = rankPairs(readPairs({ ...joinSamples(samples), logps }, dpoOptions(config)))
    for (const [i, u] of members.entries()) {
      const own = ranked[i]
      if (own) opponents[u] = own
    }
  }
  return opponents
}

/** An answer as an evaluation keeps it for the loss: without its prompt, whose media would fill the memory. */
export interface ScoredAnswer extends DPOSample {
  /** [T] under the policy as it is. */
  readonly logps: Float32Array
}

/** Scores the pairs of an evaluation's batch, and measures all of them but the loss. */
export async function scoreUnits(
  units: readonly DPOUnit[],
  { policy, signal }: Scorer,
  config: DPOValues,
  meter: Meter,
): Promise<ScoredAnswer[]> {
  const half = await scoreForWpo(units, { policy, signal }, config)
  const stats = await policy.scoreAll(sequencesOf(units), { ...scoringOf(config, signal), logitMean: true })
  const samples = units.flatMap((unit) => unit.samples)
  const logps = join(stats, (one) => one.logps)
  const tokens = {
    entropy: join(stats, (one) => one.entropy),
    correct: Uint8Array.from(stats.flatMap(({ correct }) => [...correct])),
    logitMean: join(stats, (one) => one.logitMean),
  }
  measure({ ...joinSamples(samples), logps }, tokens, config, meter)
  return samples.map((sample, i) => {
    return { ...sample, logps: stats[i]?.logps ?? new Float32Array(), halfTemperatureLogps: half[i]?.logps }
  })
}

/**
 * The loss over all pairs of an evaluation as one slice: `sft` is a mean over all their chosen tokens, and the sorting losses
 * rank each among all. So the size of the evaluation's batches does not show.
 */
export function measureLoss(answers: readonly ScoredAnswer[], config: DPOValues, meter: Meter): void {
  const options = dpoOptions(config)
  const logps = join(answers, (answer) => answer.logps)
  const count = answers.length / 2
  const chosenTokens = answers.reduce((sum, { logps: { length } }, row) => sum + (row % 2 === 0 ? length : 0), 0)
  const inputs: DpoInputs = {
    ...joinSamples(answers),
    logps,
    weights: new Float32Array(count).fill(1 / count),
    tokenWeights: new Float32Array(count).fill(1 / chosenTokens),
  }
  const opponents = config.lossType.some(isSorting) ? { opponents: rankPairs(readPairs(inputs, options)) } : {}
  const { loss } = dpoLoss({ ...inputs, ...opponents, ...pairWeights(answers, inputs, { logps }) }, options)
  meter.mean('loss', loss, count)
}

/** TRL's metrics, as means over pairs, and over tokens. */
function measure(
  inputs: DpoInputs,
  { entropy, correct, logitMean }: Omit<TokenStats, 'logps'>,
  config: DPOValues,
  meter: Meter,
): void {
  for (const [name, values] of Object.entries(measurePairs(inputs, dpoOptions(config)))) meter.each(name, values)
  meter.each('entropy', entropy)
  for (let row = 0; row + 1 < inputs.offsets.length; row++) {
    const [begin, end] = inputs.offsets.subarray(row)
    const isChosen = row % 2 === 0
    if (isChosen) meter.each('mean_token_accuracy', correct.subarray(begin, end))
    if (logitMean) meter.each(isChosen ? 'logits/chosen' : 'logits/rejected', logitMean.subarray(begin, end))
  }
}

function pairWeights(
  samples: readonly DPOSample[],
  { offsets }: Pick<DpoInputs, 'offsets'>,
  { logps }: Pick<TokenStats, 'logps'>,
) {
  const weights = samples.flatMap(({ halfTemperatureLogps: half }, row) =>
    half ? [wpoWeight(logps.subarray(offsets[row], offsets[row + 1]), half)] : [],
  )
  if (weights.length === 0) return {}
  return { pairWeights: Float32Array.from(chunks(weights, 2), ([chosen = 0, rejected = 0]) => chosen * rejected) }
}

function joinSamples(samples: readonly DPOSample[]): Omit<DpoInputs, 'logps'> {
  const pairs = chunks(samples, 2).flatMap(([chosen]) => chosen ?? [])
  const opponents = pairs.flatMap((pair) => pair.opponents ?? [])
  return {
    refLogps: join(samples, (sample) => sample.refLogps),
    offsets: offsetsOf(samples.map(({ completionIds }) => completionIds)),
    weights: Float32Array.from(pairs, ({ weight }) => weight),
    tokenWeights: Float32Array.from(pairs, ({ tokenWeight }) => tokenWeight),
    ...(opponents.length === pairs.length ? { opponents } : {}),
  }
}
