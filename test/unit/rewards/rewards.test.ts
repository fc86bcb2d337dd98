/** The built-in rewards on the answers that models give. */
import { describe, expect, it } from 'vitest'
import { accuracyReward } from '../../../src/rewards/accuracy.js'
import { formatReward } from '../../../src/rewards/format.js'
import { meanRelativeAccuracy, ratioAccuracy, relativeAccuracyReward } from '../../../src/rewards/relative-accuracy.js'
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

describe('accuracyReward on multiple choice', () => {
  const lettered = ['A. chair', 'B. table', 'C. sofa']
  const plain = ['chair', 'table', 'sofa']
  const grade = (text: string, answer: string, options: unknown) =>
    accuracyReward()({ ...input(text), example: { messages: [], answer, options } })

  it.each(['B', 'b', 'B.', '(B)', 'B)', '(B).', ' B \n', 'B. table', 'B. Table.', '(B) table', 'B: table', 'B) table'])(
    'takes %j where the answer is B',
    (text) => {
      expect(grade(text, 'B', lettered)).toBe(1)
      expect(grade(text, 'B', plain)).toBe(1)
      expect(grade(`<think>?</think><answer>${text}</answer>`, 'B', lettered)).toBe(1)
    },
  )

  it.each(['A', '(A)', 'C. table', 'B. chair', 'B C', 'B or C', 'A. chair B. table', 'ABC', 'B table', 'D', '', '()'])(
    'refuses %j where the answer is B',
    (text) => {
      expect(grade(text, 'B', lettered)).toBe(0)
      expect(grade(text, 'B', plain)).toBe(0)
    },
  )

  it('takes a letter for an answer in words only together with the words', () => {
    expect(grade('table', 'table', lettered)).toBe(1)
    expect(grade('B. table', 'table', lettered)).toBe(1)
    expect(grade('B', 'table', lettered)).toBe(0)
    expect(grade('A. table', 'table', lettered)).toBe(0)
  })

  it('compares the numbers of options as numbers', () => {
    expect(grade('B. 4.0 m', 'B', ['A. 3 m', 'B. 4 m'])).toBe(1)
    expect(grade('B. 3 m', 'B', ['A. 3 m', 'B. 4 m'])).toBe(0)
  })

  it('reads no letters where there are no options', () => {
    for (const options of [undefined, null, 'B. table', [], [1, 2]]) expect(grade('(B)', 'B', options)).toBe(0)
    expect(grade('B.', 'B', null)).toBe(1)
  })

  it('takes an article for an article', () => {
    expect(grade('a chair', 'A', lettered)).toBe(0)
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

  // Arxiv 2504.00883, section 3.3.3, and what the same models find next.
  it.each([
    ['an empty pair and an answer', 'observe', '<think></think><answer>4</answer>'],
    ['an empty pair of its own', 'observe', '<observe></observe><answer>4</answer>'],
    ['an empty pair and an answer', 'think', '<think></think><answer>4</answer>'],
    ['more empty pairs before', 'think', '<think></think><think>because</think><answer>4</answer>'],
    ['more empty pairs after', 'think', '<think>because</think><answer>4</answer><think></think><answer></answer>'],
    ['more empty pairs within', 'think', '<think>because<think></think></think><answer>4</answer>'],
    ['more empty answers within', 'think', '<think>because</think><answer>4<answer></answer></answer>'],
    ['the whole twice', 'think', '<think>a</think><answer>4</answer><think>a</think><answer>4</answer>'],
    ['the tags of another mode', 'observe', '<think>a sofa</think><answer>4</answer>'],
    ['both kinds of tags', 'observe', '<think>a</think><observe>b</observe><answer>4</answer>'],
    ['spaces for thoughts', 'think', '<think> \n\t\u00a0</think><answer>4</answer>'],
    ['nothing visible for thoughts', 'think', '<think>\u200b\u2060\ufeff</think><answer>4</answer>'],
    ['other ways to write a tag', 'think', '<think><Think></Think></think><answer>4</answer>'],
    ['other ways to write a tag', 'think', '<think><think/></think><answer>4</answer>'],
    ['other ways to write a tag', 'think', '< think >because</ think ><answer>4</answer>'],
    ['a tag that is never closed', 'think', '<think>because<answer>4</answer>'],
    ['tags that overlap', 'think', '<think>because<answer></think>4</answer>'],
    ['text between', 'think', '<think>because</think>so<answer>4</answer>'],
    ['tags where none belong', 'vanilla', '4<think></think>'],
    ['nothing visible', 'vanilla', '\u200b'],
  ] as const)('gives nothing for %s (%s: %j)', (_, mode, text) => {
    expect(give(formatReward(mode), text)).toBe(0)
  })

  it('takes other signs for text', () => {
    expect(give(formatReward('think'), '<think>1 < 2, 3 > 2, <b>bold</b></think>\n<answer>a < b</answer>')).toBe(1)
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

describe('relative accuracy where the benchmark has no numbers', () => {
  it('pays for 0 only where 0 is right, and never for the other sign', () => {
    for (const accuracy of [meanRelativeAccuracy, ratioAccuracy]) {
      expect([accuracy(0, 0), accuracy(1, 0), accuracy(0, 1), accuracy(-3, 3), accuracy(3, -3)]).toEqual([
        1, 0, 0, 0, 0,
      ])
      expect(accuracy(-3, -3)).toBe(1)
      expect(accuracy(-1000, -3)).toBe(0)
    }
  })
})

describe('the paper’s relative accuracy', () => {
  // 2 - max / min, not below 0.
  it.each([
    [2, 2, 1],
    [3, 2, 0.5],
    [2, 3, 0.5],
    [4, 2, 0],
    [1, 2, 0],
    [5, 4, 0.75],
    [4, 5, 0.75],
    [110, 100, 0.9],
    [100, 110, 0.9],
    [1000, 1, 0],
  ])('gives %d for %d: %d', (predicted, right, reward) => {
    expect(ratioAccuracy(predicted, right)).toBeCloseTo(reward, 12)
  })

  it('is a measure of relativeAccuracyReward', () => {
    const reward = relativeAccuracyReward({ measure: 'ratio' })
    expect(give(reward, '<answer>3 m</answer>', 2)).toBe(0.5)
    expect(give(reward, 'two', 2)).toBe(0)
    expect(give(reward, '2', 'sofa')).toBeNull()
    expect(() => relativeAccuracyReward({ measure: 'mar' as 'mra' })).toThrow("expected 'mra' or 'ratio', got mar")
  })
})
