/** What holds for every built-in reward on any text at all: no throw, a value in its range, the same one again. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracyReward,
  formatReward,
  meanRelativeAccuracy,
  overlongShaping,
  type RewardFunc,
  type RewardInput,
  ratioAccuracy,
  relativeAccuracyReward,
  repetitionPenalty,
} from '../../../src/rewards/index.js'

/** Pieces that the rewards look for, among anything else. */
const piece = fc.oneof(
  fc.constantFrom('<think>', '</think>', '<observe>', '</observe>', '<answer>', '</answer>', '<Think>', '</ answer >'),
  fc.constantFrom('4', '1,200', '2.5 m', '-3', '1e999', '.', 'A', '(B)', 'C. sofa', 'sofa', ' ', '\n', '\u200b'),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
const answer = fc.oneof(text, fc.double(), fc.constantFrom('4', 'A', 'sofa', 0, -1))
const options = fc.oneof(
  fc.constant(['A. chair', 'B. table', 'C. sofa']),
  fc.array(text, { maxLength: 30 }),
  fc.anything(),
)
const ids = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 40 }).map((list) => Int32Array.from(list))

const inputs = fc.record({ text, answer, options, ids }).map(({ text, ids, ...columns }) => {
  return { text, ids, finishReason: 'stop', example: { messages: [], ...columns } } as const
})

const empty: RewardInput = { text: '', ids: new Int32Array(0), finishReason: 'stop', example: { messages: [] } }

const between = (least: number, most: number) => (value: unknown) =>
  typeof value === 'number' && value >= least && value <= most
const zeroOrOne = (value: unknown) => value === 0 || value === 1

describe('on any text', () => {
  it.each<[string, RewardFunc, (value: unknown) => boolean]>([
    ['accuracy', accuracyReward(), zeroOrOne],
    ['the think format', formatReward('think'), zeroOrOne],
    ['the observe format', formatReward('observe'), zeroOrOne],
    ['the vanilla format', formatReward('vanilla'), zeroOrOne],
    ['relative accuracy', relativeAccuracyReward(), (value) => value === null || between(0, 1)(value)],
    ['the paper’s', relativeAccuracyReward({ measure: 'ratio' }), (value) => value === null || between(0, 1)(value)],
    ['overlong', overlongShaping({ maxCompletionLength: 20, cache: 7 }), between(-1, 0)],
    ['repetition', repetitionPenalty({ ngramSize: 2, maxPenalty: -2 }), between(-2, 0)],
  ])('%s gives a value in its range, and the same one again', (_, reward, isAllowed) => {
    fc.assert(
      fc.property(inputs, (input) => {
        const value = reward(input)
        expect(isAllowed(value), `${JSON.stringify(input)}: ${value}`).toBe(true)
        expect(reward(input)).toBe(value)
      }),
      { numRuns: 500 },
    )
  })
})

it('the right answer itself is right, bare or between tags', () => {
  const word = fc.stringMatching(/^[a-z][a-z ]{0,10}[a-z]$/)
  fc.assert(
    fc.property(fc.oneof(word, fc.integer()), (right) => {
      const input = { ...empty, example: { messages: [], answer: right } }
      expect(accuracyReward()({ ...input, text: String(right) })).toBe(1)
      expect(accuracyReward()({ ...input, text: `<think>?</think><answer>${right}</answer>` })).toBe(1)
    }),
  )
})

it('the format holds for visible text between its tags, and for nothing once a tag is added anywhere', () => {
  const visible = fc.stringMatching(/^[a-z0-9 ,.]*[a-z0-9][a-z0-9 ,.]*$/)
  const tag = fc.constantFrom('<think>', '</think>', '<answer>', '</answer>', '<observe></observe>', '<think></think>')
  fc.assert(
    fc.property(visible, visible, tag, fc.nat(), (body, last, extra, at) => {
      const good = `<think>${body}</think>\n<answer>${last}</answer>`
      const place = at % (good.length + 1)
      const more = good.slice(0, place) + extra + good.slice(place)
      const grade = (given: string) => formatReward('think')({ ...empty, text: given })
      expect(grade(good)).toBe(1)
      expect(grade(more)).toBe(0)
    }),
  )
})

it('relative accuracy falls with the distance on either side, and is the same in other units', () => {
  const positive = fc.integer({ min: 1, max: 1000 })
  fc.assert(
    fc.property(positive, positive, positive, (right, off, more) => {
      for (const accuracy of [meanRelativeAccuracy, ratioAccuracy]) {
        expect(accuracy(right + off + more, right)).toBeLessThanOrEqual(accuracy(right + off, right))
        expect(accuracy(right - off - more, right)).toBeLessThanOrEqual(accuracy(right - off, right))
        expect(accuracy(4 * (right + off), 4 * right)).toBeCloseTo(accuracy(right + off, right), 12)
      }
    }),
  )
})

it('long texts take no long time', { timeout: 60_000 }, () => {
  const started = performance.now()
  expect(formatReward('think')({ ...empty, text: `<think${' '.repeat(100_000)}` })).toBe(0)
  for (const unit of ['<', '<think', '<think>', '</think><answer>', '< ', ' ', '.', '1,', '4 ', '<answer></answer>']) {
    const input = { ...empty, text: `<${unit.repeat(100_000)}` }
    const example = { messages: [], answer: 'A', options: ['A. chair', 'B. table'] }
    for (const format of ['think', 'observe', 'vanilla'] as const) formatReward(format)({ ...input, example })
    accuracyReward()({ ...input, example })
    accuracyReward()({ ...input, text: unit.repeat(100_000), example })
    relativeAccuracyReward()({ ...input, text: unit.repeat(100_000), example: { ...example, answer: 4 } })
  }
  expect(performance.now() - started).toBeLessThan(5000)
})
