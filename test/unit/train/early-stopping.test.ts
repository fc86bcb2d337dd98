// Early stopping: transformers' semantics, worked out by hand and by its own EarlyStoppingCallback.
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import {
  type EarlyStoppingOptions,
  earlyStopping,
  evalMetric,
  isBetter,
  prefersGreater,
} from '../../../src/train/early-stopping.js'

/** The evaluation at which a run ends, counted from 1, or undefined. */
function stopsAt(values: readonly number[], options: EarlyStoppingOptions = {}): number | undefined {
  const callback = earlyStopping(options)
  const metric = options.metric ?? 'eval_reward'
  const found = values.findIndex(
    (value, step) => callback({ type: 'eval', step, metrics: { [metric]: value } }) === 'stop',
  )
  return found < 0 ? undefined : found + 1
}

describe('earlyStopping', () => {
  it('ends a run after as many evaluations in a row without improvement as its patience', () => {
    expect(stopsAt([0.5, 0.4, 0.5, 0.3])).toBe(4)
    expect(stopsAt([0.5, 0.4, 0.4, 0.6, 0.6, 0.5, 0.5])).toBe(7)
    expect(stopsAt([0.5, 0.5], { patience: 1 })).toBe(2)
    expect(stopsAt([0.1, 0.2, 0.3, 0.4, 0.5])).toBeUndefined()
  })

  it('wants a metric lower when its name ends in "loss", or as told', () => {
    expect(stopsAt([3, 2, 1, 0.5], { metric: 'eval_loss', patience: 1 })).toBeUndefined()
    expect(stopsAt([1, 2], { metric: 'eval_loss', patience: 1 })).toBe(2)
    expect(stopsAt([1, 2], { greaterIsBetter: false, patience: 1 })).toBe(2)
  })

  it('lets the best value follow improvements that are too small to count', () => {
    // EarlyStoppingCallback of transformers 5.18.0 stops at the same evaluations.
    expect(stopsAt([0.5, 0.625, 0.75, 0.875, 1], { threshold: 0.125, patience: 4 })).toBe(5)
    expect(stopsAt([0.5, 0.75, 0.625, 1, 1], { threshold: 0.125, patience: 2 })).toBeUndefined()
    expect(stopsAt([0.5, 0.625, 0.75, 0.875], { threshold: 0.125, patience: 2 })).toBe(3)
  })

  it('counts NaN as no improvement', () => {
    expect(stopsAt([0.5, Number.NaN, Number.NaN], { patience: 2 })).toBe(3)
    expect(stopsAt([0.5, Number.NaN, 0.6, 0.5, 0.5], { patience: 2 })).toBe(5)
  })

  it('starts anew with every run, and listens to nothing but evaluations', () => {
    const callback = earlyStopping({ patience: 1 })
    const evaluate = (value: number) => callback({ type: 'eval', step: 1, metrics: { eval_reward: value } })
    expect(evaluate(0.5)).toBeUndefined()
    callback({ type: 'start', config: {}, totalSteps: 9, step: 0 })
    expect(evaluate(0.4)).toBeUndefined()
    expect(callback({ type: 'end', step: 1, reason: 'finished' })).toBeUndefined()
    expect(evaluate(0.4)).toBe('stop')
  })

  it('takes a metric with or without eval_, and names those that there are when it is none of them', () => {
    expect(evalMetric({ eval_reward: 0.5 }, 'reward')).toBe(0.5)
    const callback = earlyStopping({ metric: 'rewrad' })
    const evaluate = () => callback({ type: 'eval', step: 1, metrics: { eval_reward: 1, eval_reward_std: 0 } })
    expect(evaluate).toThrow(InputError)
    expect(evaluate).toThrow(
      "[metric] expected one of the evaluation's metrics eval_reward, eval_reward_std, got rewrad; did you mean eval_reward?",
    )
  })

  it('refuses a patience or a threshold that is none', () => {
    expect(() => earlyStopping({ patience: 0 })).toThrow(
      '[earlyStopping] patience: expected an integer of at least 1, got 0',
    )
    expect(() => earlyStopping({ patience: 1.5 })).toThrow(InputError)
    expect(() => earlyStopping({ threshold: -1 })).toThrow('[earlyStopping] threshold: expected a number >= 0, got -1')
    expect(() => earlyStopping({ threshold: Number.NaN })).toThrow(InputError)
  })
})

describe('isBetter', () => {
  it.each([
    [1, undefined, true, 0, true],
    [1, 0.5, true, 0, true],
    [1, 0.5, false, 0, false],
    [0.5, 1, false, 0, true],
    [1, 1, true, 0, false],
    [1, 0.5, true, 0.5, false],
    [1.25, 0.5, true, 0.5, true],
    [Number.NaN, undefined, true, 0, false],
    [1, Number.NaN, true, 0, true],
    [Number.NEGATIVE_INFINITY, 0, false, 0, true],
  ])('%d against %s, greater is better %s, threshold %d: %s', (value, best, greaterIsBetter, threshold, expected) => {
    expect(isBetter(value, best, { greaterIsBetter, threshold })).toBe(expected)
  })

  it('knows which metrics should rise', () => {
    expect(['eval_reward', 'eval_loss', 'loss', 'eval_loss_rate'].map(prefersGreater)).toEqual([
      true,
      false,
      false,
      true,
    ])
  })
})
