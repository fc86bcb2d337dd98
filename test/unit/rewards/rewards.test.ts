/** The built-in rewards on the answers that models give. */
import { describe, expect, it } from 'vitest'
import { accuracyReward } from '../../../src/rewards/accuracy.js'
import { formatReward } from '../../../src/rewards/format.js'
import { meanRelativeAccuracy, relativeAccuracyReward } from '../../../src/rewards/relative-accuracy.js'
import type { RewardFunc, RewardInput } from '../../../src/rewards/reward.js'

function input(text: string, answer?: string | number): RewardInput {
  const example = { messages: [], ...(answer === undefined ? {} : { answer }) }
  return { text, ids: new Int32Array(1), finishReason: 'stop', example }
}

const give = (reward: RewardFunc, text: string, answer?: string | number) => reward(input(text, answer))

describe('accuracyReward', () => {
  it.each([
    ['table', 'table', 1],
    ['  Table. ', 'table', 1],
    ['the  round\ntable', 'The round table', 1],
    ['<think>a chair?</think><answer> Table </answer>', 'table', 1],
    ['<answer>table</answer> chair', 'chair', 0],
    ['4', 4, 1],
    ['4.0', '4', 1],
    ['1,200', 1200, 1],
    ['4 chairs', 4, 1],
    ['5', 4, 0],
    ['14', 4, 0],
    ['4 or 5', 4, 0],
    ['tables', 'table', 0],
    ['', 'table', 0],
    ['.', '.', 0],
    ['<answer>1</answer><answer>2</answer>', 2, 0],
    ['<answer>2', 2, 0],
  ])('gives %j for the answer %j: %d', (text, answer, reward) => {
    expect(give(accuracyReward(), text, answer)).toBe(reward)
  })

  it('does not apply to an example without an answer', () => {
    expect(give(accuracyReward(), 'table')).toBeNull()
  })

  it('reads another column, and takes numbers within a tolerance', () => {
    const reward = accuracyReward({ field: 'truth', tolerance: 0.1 })
    const example = { messages: [], truth: 10 }
    expect(reward({ ...input('10.9'), example })).toBe(1)
    expect(reward({ ...input('11.1'), example })).toBe(0)
  })
})

describe('formatReward', () => {
  it.each([
    ['think', '<think>because</think><answer>4</answer>', 1],
    ['think', ' <think>\nbecause\n</think>\n<answer>4</answer>\n', 1],
    ['observe', '<observe>a sofa</observe><answer>4</answer>', 1],
    ['vanilla', '4', 1],
    ['think', '<think> </think><answer>4</answer>', 0],
    ['think', '<think>because</think><answer></answer>', 0],
    ['think', '<think>because</think><answer>4</answer> so', 0],
    ['think', 'so <think>because</think><answer>4</answer>', 0],
    ['think', '<think>a</think><think>b</think><answer>4</answer>', 0],
    ['think', '<think>a</think><answer>4</answer><answer>5</answer>', 0],
    ['think', '<think>a<think>b</think></think><answer>4</answer>', 0],
    ['think', '<think>a</think><answer>4</answer><think>b</think><answer>4</answer>', 0],
    ['think', '<think>a <answer>5</answer></think><answer>4</answer>', 0],
    ['think', '<observe>a sofa</observe><answer>4</answer>', 0],
    ['observe', '<think></think><answer>4</answer>', 0],
    ['think', '<answer>4</answer><think>because</think>', 0],
    ['vanilla', '  ', 0],
    ['vanilla', '<answer>4</answer>', 0],
  ] as const)('in %s mode gives %j: %d', (mode, text, reward) => {
    expect(give(formatReward(mode), text)).toBe(reward)
  })
})

describe('relativeAccuracyReward', () => {
  it.each([
    [2, 2, 1],
    [3, 2, 0.1],
    [1, 2, 0.1],
    [4, 2, 0],
    [5, 4, 0.6],
    [3, 4, 0.6],
    [9, 10, 0.9],
    [11, 10, 0.9],
    [5, 6.1, 0.7],
    [113, 100, 0.8],
    [95, 100, 1],
    [105, 100, 1],
    [85, 100, 0.8],
    [1.9, 2, 1],
    [50, 100, 0.1],
    [150, 100, 0.1],
    [151, 100, 0],
    [0, 5, 0],
  ])('scores %d for %d as the benchmark does: %d', (predicted, right, score) => {
    expect(meanRelativeAccuracy(predicted, right)).toBeCloseTo(score, 12)
  })

  it('reads numbers with units, gives 0 for words and does not apply to answers in words', () => {
    expect(give(relativeAccuracyReward(), '<answer>1.9 m</answer>', 2)).toBe(1)
    expect(give(relativeAccuracyReward(), '113 square feet', '100')).toBe(0.8)
    expect(give(relativeAccuracyReward(), 'two', 2)).toBe(0)
    expect(give(relativeAccuracyReward(), '2', 'sofa')).toBeNull()
    expect(give(relativeAccuracyReward(), '2')).toBeNull()
  })
})
