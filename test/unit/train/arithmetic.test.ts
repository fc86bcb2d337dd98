/** Advantages, token weights and learning rates against hand-made numbers. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { computeAdvantages, standardDeviation } from '../../../src/train/grpo/advantages.js'
import { tokenWeights } from '../../../src/train/grpo/weights.js'
import { Meter } from '../../../src/train/meter.js'
import { learningRateAt } from '../../../src/train/schedule.js'

const close = (values: ArrayLike<number>, expected: readonly number[]) => {
  expect(values).toHaveLength(expected.length)
  for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 6)
}

describe('computeAdvantages', () => {
  const options = { multiObjectiveAggregation: 'sum_then_normalize', rewardWeights: [1] } as const
  const table = (totals: Float64Array) => ({ byReward: [[...totals]], totals })
  const rewards = Float64Array.of(1, 0, 0.5, 0.25, 1, 1, 1, 1)
  it.each([
    ['group', [1.317157, -1.024455, 0.146351, -0.439052, 0, 0, 0, 0]],
    ['batch', [1.369879, -1.065462, 0.152209, -0.456626, 0, 0, 0, 0]],
    ['none', [0.5625, -0.4375, 0.0625, -0.1875, 0, 0, 0, 0]],
  ] as const)('equals TRL with scaleRewards %s', (scaleRewards, expected) => {
    const { advantages, flat } = computeAdvantages(table(rewards), { ...options, numGenerations: 4, scaleRewards })
    close(advantages, expected)
    expect(flat).toEqual([false, true])
    expect(standardDeviation(rewards)).toBeCloseTo(0.41052, 5)
  })

  it('leaves completions that no reward applied to out of the baseline and gives them 0', () => {
    const some = Float64Array.of(1, Number.NaN, 0, Number.NaN, Number.NaN, Number.NaN)
    const { advantages, flat } = computeAdvantages(table(some), {
      ...options,
      numGenerations: 3,
      scaleRewards: 'group',
    })
    const scale = Math.SQRT1_2 + 1e-4
    close(advantages, [0.5 / scale, 0, -0.5 / scale, 0, 0, 0])
    expect(flat).toEqual([false, true])
  })
})

describe('tokenWeights', () => {
  const options = { sliceSize: 2, maxCompletionLength: 10, dapoTokens: 20 }
  it.each([
    ['grpo', [1 / 4 / 4, 1 / 2 / 4, 1 / 4, 1 / 5 / 4]],
    ['bnpo', [1 / 6 / 2, 1 / 6 / 2, 1 / 6 / 2, 1 / 6 / 2]],
    ['dr_grpo', [1 / 40, 1 / 40, 1 / 40, 1 / 40]],
    ['dapo', [1 / 20, 1 / 20, 1 / 20, 1 / 20]],
  ] as const)('spreads one unit of loss as %s does', (lossType, expected) => {
    close(tokenWeights([4, 2, 1, 5], { ...options, lossType }), expected)
  })

  it('counts a masked completion as a completion without tokens', () => {
    close(tokenWeights([4, 0], { ...options, lossType: 'grpo' }), [1 / 8, 0])
    close(tokenWeights([4, 0], { ...options, lossType: 'bnpo' }), [1 / 4, 0])
    close(tokenWeights([0, 0], { ...options, lossType: 'dapo', dapoTokens: 0 }), [0, 0])
  })
})

describe('learningRateAt', () => {
  const options = { learningRate: 2, totalSteps: 10, warmupSteps: 2 }
  const rates = (lrSchedulerType: 'linear' | 'cosine' | 'constant' | 'constant_with_warmup') =>
    [0, 1, 2, 6, 9].map((step) => learningRateAt(step, { ...options, lrSchedulerType }))

  it('follows transformers schedulers', () => {
    close(rates('linear'), [0, 1, 2, 1, 0.25])
    close(rates('cosine'), [0, 1, 2, 1, 1 + Math.cos((7 / 8) * Math.PI)])
    close(rates('constant'), [2, 2, 2, 2, 2])
    close(rates('constant_with_warmup'), [0, 1, 2, 2, 2])
  })
})

describe('Meter', () => {
  it('weighs means, so that parts and the whole agree, and starts anew after each row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2 }),
        fc.nat(),
        (values, at) => {
          const cut = 1 + (at % (values.length - 1))
          const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length
          const meter = new Meter()
          for (const part of [values.slice(0, cut), values.slice(cut)]) meter.mean('m', mean(part), part.length)
          expect(meter.take().m).toBeCloseTo(mean(values), 6)
          expect(meter.take()).toEqual({})
        },
      ),
    )
  })
})
