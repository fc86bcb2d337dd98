/** Advantages, token weights and learning rates against hand-made numbers. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { computeAdvantages, standardDeviation } from '../../../src/train/grpo/advantages.js'
import { tokenWeights } from '../../../src/train/grpo/weights.js'
import { Meter } from '../../../src/train/meter.js'
import {
  isDue,
  type LrSchedulerType,
  learningRateAt,
  type SchedulerKwargs,
  scheduleFault,
  warmupStepsOf,
} from '../../../src/train/schedule.js'

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

  // Numbers of transformers 5.18's get_scheduler.
  it.each<[LrSchedulerType, SchedulerKwargs, number[]]>([
    ['linear', {}, [0, 1, 2, 1.75, 1, 0.25]],
    ['cosine', {}, [0, 1, 2, 1.9238795325112867, 1, 0.07612046748871326]],
    ['cosine', { numCycles: 1.5 }, [0, 1, 2, 1.3826834323650898, 1, 0.6173165676349102]],
    ['cosine_with_restarts', { numCycles: 2 }, [0, 1, 2, 1.7071067811865475, 2, 0.29289321881345254]],
    ['cosine_with_min_lr', { minLr: 0.4 }, [0, 1, 2, 1.9391036260090293, 1.2, 0.4608963739909706]],
    ['cosine_with_min_lr', { minLrRate: 0.1 }, [0, 1, 2, 1.9314915792601581, 1.1, 0.26850842073984194]],
    ['polynomial', {}, [0, 1, 2, 1.7500000125, 1.00000005, 0.2500000875]],
    ['polynomial', { power: 2, lrEnd: 0.5 }, [0, 1, 2, 1.6484375, 0.875, 0.5234375]],
    ['constant', {}, [2, 2, 2, 2, 2, 2]],
    ['constant_with_warmup', {}, [0, 1, 2, 2, 2, 2]],
  ])('follows transformers in %s with %j', (lrSchedulerType, lrSchedulerKwargs, expected) => {
    const rates = [0, 1, 2, 3, 6, 9].map((step) =>
      learningRateAt(step, { ...options, lrSchedulerType, lrSchedulerKwargs }),
    )
    close(rates, expected)
  })
})

describe('scheduleFault', () => {
  it.each<[LrSchedulerType, SchedulerKwargs, RegExp | undefined]>([
    ['linear', {}, undefined],
    ['linear', { minLr: 1 }, /^'linear' takes none, got minLr$/],
    ['cosine_with_min_lr', {}, /needs minLr or minLrRate, one of them/],
    ['cosine_with_min_lr', { minLr: 1, minLrRate: 0.5 }, /one of them/],
    ['cosine_with_min_lr', { minLrRate: 1.5 }, /end at 3, above learningRate 2/],
    ['cosine_with_min_lr', { minLr: 0.5, numCycles: 1 }, undefined],
    ['polynomial', { lrEnd: 3 }, /end at 3, above learningRate 2/],
  ])('says of %s with %j what is wrong', (lrSchedulerType, lrSchedulerKwargs, expected) => {
    const fault = scheduleFault({ lrSchedulerType, lrSchedulerKwargs, learningRate: 2 })
    if (expected) expect(fault).toMatch(expected)
    else expect(fault).toBeUndefined()
  })
})

describe('steps below 1', () => {
  it('are a part of all steps, rounded up, as in transformers', () => {
    const due = (every: number) => [1, 2, 3, 4, 5, 6, 7].filter((step) => isDue(step, every, 7))
    expect(due(0.4)).toEqual([3, 6, 7])
    expect(due(2)).toEqual([2, 4, 6, 7])
    expect(due(1)).toHaveLength(7)
    expect(warmupStepsOf({ warmupSteps: 0.4, warmupRatio: 0 }, 7)).toBe(3)
    expect(warmupStepsOf({ warmupSteps: 0, warmupRatio: 0.4 }, 7)).toBe(3)
    expect(warmupStepsOf({ warmupSteps: 5, warmupRatio: 0.4 }, 7)).toBe(5)
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
