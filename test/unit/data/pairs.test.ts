/** Wrong answers of a chosen hardness. */
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { type PairOptions, preferencePairs } from '../../../src/data/pairs.js'
import type { Example } from '../../../src/types.js'

const ask = (columns: Record<string, unknown>): Example => ({
  messages: [{ role: 'user', content: '?' }],
  scene_name: 'room',
  ...columns,
})

/** The rejected answers over many seeds, sorted. */
function rejected(row: Example, options: PairOptions = {}, others: readonly Example[] = []): unknown[] {
  const seeds = Array.from({ length: 40 }, (_, seed) => seed)
  const rows = seeds.map((seed) => preferencePairs(fromArray([row, ...others]), { ...options, seed }).get(0))
  expect(new Set(rows.map(({ chosen }) => chosen))).toEqual(new Set([String(row.answer)]))
  return [...new Set(rows.map((pair) => pair.rejected))].sort()
}

describe('preferencePairs', () => {
  it('puts numbers off by the ratio, either way, rounded as the right one is', () => {
    expect(rejected(ask({ answer: '4.0' }), { ratio: 1.25 })).toEqual(['3.2', '5.0'])
    expect(rejected(ask({ answer: 12 }), { ratio: 2 })).toEqual(['24', '6'])
    expect(rejected(ask({ answer: '100' }), { hardness: 'easy' })).toEqual(['300', '33'])
    expect(rejected(ask({ answer: '100' }), { hardness: 'hard' })).toEqual(['125', '80'])
  })

  it('gives small numbers a neighbour that differs, and 0 one too', () => {
    expect(rejected(ask({ answer: '2' }), { hardness: 'hard' })).toEqual(['3'])
    expect(rejected(ask({ answer: '0' }), { hardness: 'hard' })).toEqual(['1'])
    expect(rejected(ask({ answer: '0.1' }), { hardness: 'hard' })).toEqual(['0.2'])
  })

  it('turns directions around when easy, and least when hard', () => {
    const four = { question_type: 'object_rel_direction_hard', answer: 'front-left' }
    expect(rejected(ask(four), { hardness: 'easy' })).toEqual(['back-right'])
    expect(rejected(ask(four), { hardness: 'hard' })).toEqual(['back-left', 'front-right'])
    expect(rejected(ask({ ...four, answer: 'left', question_type: 'object_rel_direction_easy' }))).toEqual(['right'])
    expect(rejected(ask({ ...four, answer: 'left', question_type: 'object_rel_direction_medium' }))).toEqual([
      'back',
      'right',
    ])
  })

  it('writes options as the right answer is written', () => {
    const options = ['A. back-left', 'B. front-left', 'C. back-right', 'D. front-right']
    expect(rejected(ask({ options, answer: 'A' }), { hardness: 'easy' })).toEqual(['D'])
    expect(rejected(ask({ options, answer: 'back-left' }), { hardness: 'easy' })).toEqual(['front-right'])
    expect(rejected(ask({ options: ['1. chair', '2. sofa', '3. lamp'], answer: '2' }))).toEqual(['1', '3'])
  })

  it('displaces orders wholly when easy, two neighbours when hard', () => {
    expect(rejected(ask({ answer: 'a, b, c, d' }), { hardness: 'easy' })).toEqual(['d, c, b, a'])
    expect(rejected(ask({ answer: 'a, b, c, d' }), { hardness: 'hard' })).toEqual([
      'a, b, d, c',
      'a, c, b, d',
      'b, a, c, d',
    ])
  })

  it('takes other objects of the same scene for objects', () => {
    const others = [
      ask({ category: 'lamp', answer: '3' }),
      ask({ question_type: 'object_rel_distance', category: 'bed', answer: 'sofa' }),
      ask({ category: 'piano', answer: '3', scene_name: 'elsewhere' }),
    ]
    expect(
      rejected(ask({ question_type: 'object_rel_distance', category: 'table', answer: 'chair' }), {}, others),
    ).toEqual(['bed', 'lamp', 'sofa', 'table'])
  })

  it('gives the same pair at every call, and keeps the row and its place', () => {
    const rows = Array.from({ length: 30 }, (_, id) => ask({ id, answer: id + 1, note: 'kept' }))
    const pairs = preferencePairs({ ...fromArray(rows), where: (index) => `file:${index}` })
    const [first, second] = [0, 1].map(() => rows.map((_, index) => pairs.get(index)))
    expect(second).toEqual(first)
    expect(first?.every(({ chosen, rejected: wrong, note }) => chosen !== wrong && note === 'kept')).toBe(true)
    expect([pairs.length, pairs.where?.(4)]).toEqual([30, 'file:4'])
  })

  it('refuses what it cannot do, and says so', () => {
    const pairs = preferencePairs(fromArray([ask({ id: 'q7', answer: 'chair' })]))
    expect(() => pairs.get(0)).toThrow(
      /example q7: answer: expected a number, .* got 'chair'; give the row its own chosen/,
    )
    expect(() => preferencePairs(fromArray([]), { ratio: 1 })).toThrow(
      '[pairs] ratio: expected a number above 1, got 1',
    )
    expect(() => preferencePairs(fromArray([]), { seed: 0.5 })).toThrow('[pairs] seed: expected an integer, got 0.5')
    const wild = { hardness: 'wild' } as unknown as PairOptions
    expect(() => preferencePairs(fromArray([]), wild)).toThrow(
      "hardness: expected one of easy, medium, hard, got 'wild'",
    )
  })
})
