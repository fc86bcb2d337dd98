/** Questions and predictions as files bring them; damaged ones are in ../data/damaged. */
import { describe, expect, it } from 'vitest'
import { readPredictions } from '../../../src/eval/predictions.js'
import { debiased, withPrunedIds } from '../../../src/eval/vsi-bench/questions.js'
import { counting, direction, questions, rows } from './questions.js'

describe('readQuestions', () => {
  it('keeps the fields under their names, and reads numbers as text', () => {
    const [first, second] = questions({ ...counting, ground_truth: 2 }, { ...direction, pruned: undefined })
    expect(first).toEqual({ ...counting, ground_truth: '2', where: 'q.jsonl:1' })
    expect(second).toMatchObject({ options: ['A. left', 'B. right'], ground_truth: 'B' })
  })

  it('takes the Debiased subset from a list of ids, or from the column', () => {
    const marked = withPrunedIds(questions(counting, direction), new Set(['1', '77']), 'pruned.txt')
    expect(marked.map(({ pruned }) => pruned)).toEqual([false, true])
    expect(debiased(marked, 'q.jsonl').map(({ id }) => id)).toEqual([0])
    expect(() => debiased(questions({ ...counting, pruned: true }), 'q.jsonl')).toThrow('all 1 questions are pruned')
  })
})

describe('readPredictions', () => {
  const read = (values: readonly unknown[], ids: readonly (string | number)[] = [0, 'b']) =>
    readPredictions(rows(values, 'p.jsonl'), ids, 'p.jsonl')

  it('puts them in the order of the questions; 0 and "0" are one id; others are left aside by name', () => {
    const given = [
      { id: 'b', prediction: 'B' },
      { id: 9, prediction: 'x' },
      { id: '0', prediction: 4 },
    ]
    expect(read(given)).toEqual({ texts: ['4', 'B'], unused: ['9'] })
  })

  it('names five missing ids and counts the rest', () => {
    const ids = Array.from({ length: 8 }, (_, i) => i)
    expect(() => read([], ids)).toThrow('got none for 8: 0, 1, 2, 3, 4 and 3 more')
  })
})
