/** Rewards that charge for length and repetition, against the functions that they are named after. */
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import { combineRewards } from '../../../src/rewards/combine.js'
import { lengthPenalty } from '../../../src/rewards/length.js'
import { overlongShaping } from '../../../src/rewards/overlong.js'
import { repetitionPenalty } from '../../../src/rewards/repetition.js'
import { batched, type RewardInput } from '../../../src/rewards/reward.js'
import type { Prompt } from '../../../src/types.js'

function ofIds(ids: readonly number[], more: Partial<RewardInput> = {}): RewardInput {
  return { text: '', ids: Int32Array.from(ids), finishReason: 'stop', example: { messages: [] }, ...more }
}

const ofLength = (length: number, more: Partial<RewardInput> = {}) => ofIds(Array(length).fill(7), more)

describe('overlongShaping', () => {
  // Printed by get_soft_overlong_punishment of TRL 1.13.0 on completions of these lengths.
  it.each([
    [100, 20, { 0: 0, 1: 0, 79: 0, 80: 0, 81: -0.05, 90: -0.5, 99: -0.95, 100: -1, 101: -1, 200: -1 }],
    [512, 128, { 383: 0, 384: 0, 385: -0.0078125, 448: -0.5, 511: -0.9921875, 512: -1, 513: -1, 1024: -1 }],
    [8, 0, { 0: 0, 7: 0, 8: 0, 9: -1, 16: -1 }],
    [10, 10, { 0: 0, 1: -0.1, 5: -0.5, 9: -0.9, 10: -1, 11: -1, 20: -1 }],
  ])('of %d tokens, %d of them a cache, gives what TRL gives', (maxCompletionLength, cache, expected) => {
    const reward = overlongShaping({ maxCompletionLength, cache })
    const lengths = Object.keys(expected).map(Number)
    expect(Object.fromEntries(lengths.map((length) => [length, reward(ofLength(length))]))).toEqual(expected)
  })

  it.each([
    [{ maxCompletionLength: 0, cache: 0 }, '[overlongShaping] maxCompletionLength: expected an integer of at least 1'],
    [{ maxCompletionLength: 8.5, cache: 0 }, 'maxCompletionLength: expected an integer of at least 1, got 8.5'],
    [{ maxCompletionLength: 8, cache: 9 }, 'cache: expected an integer from 0 to 8, got 9'],
    [{ maxCompletionLength: 8, cache: Number.NaN }, 'cache: expected an integer from 0 to 8, got NaN'],
  ])('refuses %j', (options, message) => {
    expect(() => overlongShaping(options)).toThrow(InputError)
    expect(() => overlongShaping(options)).toThrow(message)
  })
})

describe('repetitionPenalty', () => {
  // Printed by get_repetition_penalty_reward of TRL 1.13.0 for (3, -1), (2, -1), (1, -0.5), (4, -2).
  it.each([
    ['', [0, 0, 0, 0]],
    ['1', [0, 0, 0, 0]],
    ['1 2', [0, 0, 0, 0]],
    ['1 2 3', [0, 0, 0, 0]],
    ['5 5 5 5 5', [-0.6666666666666667, -0.75, -0.4, -1]],
    ['1 2 3 4', [0, 0, 0, 0]],
    ['1 2 3 1 2 3', [-0.25, -0.4, -0.25, 0]],
    ['1 2 1 2 1 2 1', [-0.6, -0.6666666666666667, -0.35714285714285715, -1]],
    ['7 '.repeat(100), [-0.9897959183673469, -0.98989898989899, -0.495, -1.9793814432989691]],
  ])('gives for %j what TRL gives', (written, expected) => {
    const ids = written.split(' ').filter(Boolean).map(Number)
    const rewards = [
      repetitionPenalty(),
      repetitionPenalty({ ngramSize: 2 }),
      repetitionPenalty({ ngramSize: 1, maxPenalty: -0.5 }),
      repetitionPenalty({ ngramSize: 4, maxPenalty: -2 }),
    ]
    rewards.forEach((reward, k) => {
      expect(reward(ofIds(ids))).toBeCloseTo(expected[k] ?? Number.NaN, 14)
    })
  })

  it('tells tokens apart that look alike when written without a gap', () => {
    expect(repetitionPenalty({ ngramSize: 2 })(ofIds([1, 12, 11, 2]))).toBe(0)
    expect(repetitionPenalty({ ngramSize: 2 })(ofIds([1, 23, 12, 3]))).toBe(0)
  })

  it.each([
    [{ ngramSize: 0 }, '[repetitionPenalty] ngramSize: expected an integer of at least 1, got 0'],
    [{ maxPenalty: 0.5 }, '[repetitionPenalty] maxPenalty: expected a number of 0 or below, got 0.5'],
    [{ maxPenalty: Number.NaN }, 'got NaN'],
  ])('refuses %j', (options, message) => {
    expect(() => repetitionPenalty(options)).toThrow(InputError)
    expect(() => repetitionPenalty(options)).toThrow(message)
  })
})

describe('lengthPenalty', () => {
  const promptOf = (): Prompt => {
    const empty = new Int32Array(0)
    return { ids: empty, positions: empty, nextPosition: 0, media: [], sharedLength: 0 }
  }
  const example = { messages: [], answer: 'yes' }
  const answers = (prompt: Prompt, ...given: readonly [string, number][]) =>
    given.map(([text, length]) => ofLength(length, { text, prompt, example }))
  const scores = async (inputs: RewardInput[], reward = lengthPenalty()) =>
    (await combineRewards([reward], inputs)).byReward[0]

  it('pays the shorter of right answers, and never a wrong one', async () => {
    const group = answers(promptOf(), ['yes', 10], ['yes', 20], ['yes', 30], ['no', 10], ['no', 30], ['no', 15])
    expect(await scores(group)).toEqual([0.5, 0, -0.5, 0, -0.5, 0])
  })

  it('compares within a group only', async () => {
    const inputs = [...answers(promptOf(), ['yes', 10], ['yes', 20]), ...answers(promptOf(), ['yes', 20], ['yes', 30])]
    expect(await scores(inputs)).toEqual([0.5, -0.5, 0.5, -0.5])
  })

  it('gives 0 where all are of one length, and null where right and wrong are not known', async () => {
    expect(await scores(answers(promptOf(), ['yes', 10], ['no', 10]))).toEqual([0, 0])
    expect(await scores([ofLength(3), ofLength(4)])).toEqual([null, null])
  })

  it('takes another judge of right and wrong, also a batched one', async () => {
    const group = answers(promptOf(), ['yes', 10], ['no', 30])
    expect(await scores(group, lengthPenalty({ correct: ({ text }) => Number(text === 'no') }))).toEqual([0, -0.5])
    const last = batched('last', (inputs) => inputs.map((_, i) => Number(i === inputs.length - 1)))
    expect(await scores([...group].reverse(), lengthPenalty({ correct: last }))).toEqual([-0.5, 0.5])
  })
})
