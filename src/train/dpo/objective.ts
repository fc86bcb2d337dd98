/** The DPO loss over the pairs of a micro-batch, and TRL's metrics of it. */
import { chunks } from '../../data/loader.js'
import { groupBy } from '../../group-by.js'
import { type DpoInputs, dpoLoss, rankPairs, readPairs, wpoWeight } from '../../losses/dpo.js'
import { measurePairs } from '../../losses/dpo-metrics.js'
import { isSorting } from '../../losses/dpo-options.js'
import type { Opponents } from '../../losses/dpo-terms.js'
import type { BackwardResult, TokenStats } from '../../native.js'
import type { Policy } from '../../policy.js'
import type { Objective } from '../algorithm.js'
import { join, offsetsOf } from '../flat.js'
import type { Meter } from '../meter.js'
import { scoringOf } from '../scoring.js'
import { sequencesOf } from '../units.js'
import { type DPOValues, dpoOptions } from './config.js'
import type { DPOSample, DPOUnit, PairContext } from './pairs.js'

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
  { policy, signal }: { readonly policy: Policy; readonly signal?: AbortSignal },
  config: DPOValues,
): Promise<DPOUnit[]> {
  const scoring = scoringOf(config, signal)
  const sequences = sequencesOf(units)
  const half = config.useWeighting ? await policy.scoreAll(sequences, { ...scoring, temperature: 0.5 }) : []
  const now = config.lossType.some(isSorting) ? await policy.scoreAll(sequences, scoring) : []
  const opponents = now.length > 0 ? rankSlices(units, now, config) : []
  return units.map((unit, u) => {
    const samples = unit.samples.map((sample, side) => {
      return { ...sample, opponents: opponents[u], halfTemperatureLogps: half[2 * u + side]?.logps }
    })
    return { ...unit, samples }
  })
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

/** Loss and metrics of the pairs under the policy as it is: an evaluation's. */
export async function measureUnits(
  units: readonly DPOUnit[],
  context: PairContext,
  config: DPOValues,
  meter: Meter,
): Promise<void> {
  const compared = await compareBatch(units, context, config)
  const scoring = { ...scoringOf(config, context.signal), logitMean: true }
  const stats = await context.policy.scoreAll(sequencesOf(compared), scoring)
  const samples = compared.flatMap((unit) => unit.samples)
  const given = joinSamples(samples)
  const whole = {
    logps: join(stats, (one) => one.logps),
    entropy: join(stats, (one) => one.entropy),
    correct: Uint8Array.from(stats.flatMap(({ correct }) => [...correct])),
    logitMean: join(stats, (one) => one.logitMean),
  }
  const { loss } = dpoLoss({ ...given, ...pairWeights(samples, given, whole), logps: whole.logps }, dpoOptions(config))
  meter.mean('loss', loss, units.length)
  measure({ ...given, logps: whole.logps }, whole, config, meter)
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
