/**
 * Rewards to advantages, and the correction of the sampler, against TRL: what TRL 1.13's own trainer class computed in
 * float64 (test/parity/make_trl_golden.py).
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { combineRewards } from '../../../../src/rewards/combine.js'
import { batched } from '../../../../src/rewards/reward.js'
import { type AdvantageOptions, computeAdvantages } from '../../../../src/train/grpo/advantages.js'
import { measureRollout } from '../../../../src/train/grpo/rollout.js'
import { type SamplerRatioOptions, samplerRatios } from '../../../../src/train/grpo/sampler-ratio.js'
import { Meter } from '../../../../src/train/meter.js'
import type { Completion } from '../../../../src/types.js'

/** null for what TRL leaves out of its averages: there is no such number. */
type TrlMetrics = Readonly<Record<string, number | null>>

interface AdvantageCase {
  readonly name: string
  readonly num_generations: number
  readonly multi_objective_aggregation: AdvantageOptions['multiObjectiveAggregation']
  readonly scale_rewards: AdvantageOptions['scaleRewards']
  readonly reward_weights: readonly number[]
  /** [J][B] */
  readonly rewards: readonly (readonly (number | null)[])[]
  readonly advantages: readonly number[]
  readonly metrics: TrlMetrics
}

interface RatioCase {
  readonly mode: SamplerRatioOptions['mode']
  readonly clip_min: number | null
  readonly clip_max: number | null
  /** [B] 0 = the completion is masked: its ratio is nobody's business. */
  readonly mask: readonly number[]
  readonly ratios: readonly number[]
  readonly metrics: TrlMetrics
}

interface Ragged {
  readonly lengths: readonly number[]
  readonly old_logps: readonly number[]
  readonly sampling_logps: readonly number[]
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../parity/fixtures/trl/${file}`, import.meta.url), 'utf8'))
}

const table = read<{ reward_names: string[]; cases: AdvantageCase[] }>('advantages.json')
const sampler = read<{ batch: Ragged; cases: RatioCase[] }>('sampler-ratio.json')

function expectAll(got: ArrayLike<number>, expected: readonly number[], what: string): void {
  expect(got.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) {
    const distance = Math.abs((got[i] ?? Number.NaN) - value)
    expect(distance, `${what}[${i}]: ${got[i]} for TRL's ${value}`).toBeLessThanOrEqual(1e-9 + 1e-6 * Math.abs(value))
  }
}

const answer: Completion = { text: '', ids: Int32Array.of(1), logps: Float32Array.of(-1), finishReason: 'stop' }

async function scored({ rewards, reward_weights: weights }: AdvantageCase) {
  const functions = rewards.map((column, j) => batched(table.reward_names[j] ?? '', () => column))
  const completions = (rewards[0] ?? []).map(() => answer)
  const inputs = completions.map((completion) => ({ ...completion, example: { messages: [] } }))
  return { completions, scores: await combineRewards(functions, inputs, { weights }) }
}

const title = (one: AdvantageCase) =>
  `${one.name}, ${one.multi_objective_aggregation}, ${one.scale_rewards}, ${one.reward_weights}`

describe('rewards and advantages', () => {
  it.each(table.cases.map((one) => ({ ...one, title: title(one) })))('equal TRL: $title', async (one) => {
    const answers = await scored(one)
    const result = computeAdvantages(answers.scores, {
      numGenerations: one.num_generations,
      scaleRewards: one.scale_rewards,
      multiObjectiveAggregation: one.multi_objective_aggregation,
      rewardWeights: one.reward_weights,
    })
    expectAll(result.advantages, one.advantages, 'advantages')

    const { frac_reward_zero_std: zero, ...expected } = one.metrics
    expect(result.fracZeroStd).toBeCloseTo(zero ?? Number.NaN, 9)
    const meter = new Meter()
    measureRollout(answers, meter)
    const metrics = meter.take()
    for (const [name, value] of Object.entries(expected)) {
      expectAll(name in metrics ? [metrics[name] ?? Number.NaN] : [], value === null ? [] : [value], name)
    }
  })

  it.each([
    ['group', [1.317157, -1.024455, 0.146351, -0.439052, 0, 0, 0, 0]],
    ['batch', [1.369879, -1.065462, 0.152209, -0.456626, 0, 0, 0, 0]],
    ['none', [0.5625, -0.4375, 0.0625, -0.1875, 0, 0, 0, 0]],
  ] as const)('with explicit numbers, scaled by %s', (scaleRewards, expected) => {
    const rewards = [1, 0, 0.5, 0.25, 1, 1, 1, 1]
    const { advantages } = computeAdvantages(
      { byReward: [rewards], totals: Float64Array.from(rewards) },
      { numGenerations: 4, scaleRewards, multiObjectiveAggregation: 'sum_then_normalize', rewardWeights: [1] },
    )
    for (const [i, value] of expected.entries()) expect(advantages[i]).toBeCloseTo(value, 5)
  })
})

describe('sampler ratios', () => {
  const { lengths, old_logps: trained, sampling_logps: sampled } = sampler.batch
  const begin = (row: number) => lengths.slice(0, row).reduce((sum, length) => sum + length, 0)
  const bounds = (one: RatioCase) => `${one.clip_min} to ${one.clip_max}, mask ${one.mask}`

  it.each(sampler.cases.map((one) => ({ ...one, bounds: bounds(one) })))('equal TRL: $mode, $bounds', (one) => {
    const options = { mode: one.mode, clipMin: one.clip_min ?? undefined, clipMax: one.clip_max ?? undefined }
    for (const [row, length] of lengths.entries()) {
      if (one.mask[row] === 0) continue
      const part = (values: readonly number[]) => Float32Array.from(values.slice(begin(row), begin(row) + length))
      const ratios = samplerRatios(part(trained), part(sampled), options)
      expectAll(ratios, one.ratios.slice(begin(row), begin(row) + length), `ratios of completion ${row}`)
    }
  })
})
