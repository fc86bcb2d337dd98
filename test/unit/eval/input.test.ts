/** Questions and predictions as files bring them: each kind of damage is told by place, expectation and cure. */
import { describe, expect, it } from 'vitest'
import { readPredictions } from '../../../src/eval/predictions.js'
import { readQuestions, withPrunedIds } from '../../../src/eval/vsi-bench/questions.js'
import { counting, direction, questions, rows } from './questions.js'

describe('readQuestions', () => {
  it('keeps the fields under their names, and reads numbers as text', () => {
    const [first, second] = questions({ ...counting, ground_truth: 2 }, { ...direction, pruned: undefined })
    expect(first).toEqual({ ...counting, ground_truth: '2', where: 'q.jsonl:1' })
    expect(second).toMatchObject({ options: ['A. left', 'B. right'], ground_truth: 'B' })
  })

  it.each([
    [[7], 'q.jsonl:1: row: expected a JSON object, got 7'],
    [[{ ...counting, id: undefined }], 'q.jsonl:1: id: expected a text or a number, got nothing'],
    [[{ ...counting, id: null }], 'q.jsonl:1: id: expected a text or a number, got null'],
    [
      [counting, { ...direction, id: '0' }],
      'q.jsonl:2: id: expected an id that no other question has, got 0, as q.jsonl:1 has',
    ],
    [[{ ...counting, scene_name: 5 }], 'q.jsonl:1: scene_name: expected a text, got 5'],
    [[{ ...counting, dataset: '' }], 'q.jsonl:1: dataset: expected a text, got ""'],
    [[{ ...counting, question: undefined }], 'q.jsonl:1: question: expected a text, got nothing'],
    [[{ ...counting, question_type: 'object_countin' }], 'got "object_countin"; did you mean object_counting?'],
    [[{ ...counting, ground_truth: 'two' }], 'ground_truth: expected a number above 0, as object_counting asks for'],
    [[{ ...counting, ground_truth: '0' }], 'ground_truth: expected a number above 0'],
    [[{ ...counting, options: ['A. 1', 'B. 2'] }], 'options: expected null, as object_counting asks for a number'],
    [[{ ...direction, options: [] }], 'q.jsonl:1: options: expected at least two options, got []'],
    [[{ ...direction, options: null }], 'q.jsonl:1: options: expected at least two options, got null'],
    [[{ ...direction, options: ['left', 'right'] }], 'options[0]: expected a text that begins with "A. ", got "left"'],
    [[{ ...direction, options: ['A. left', 'C. right'] }], 'options[1]: expected a text that begins with "B. "'],
    [[{ ...direction, ground_truth: 'C' }], 'ground_truth: expected one of the letters A, B, got "C"'],
    [[{ ...counting, pruned: 'yes' }], 'pruned: expected true or false, got "yes"'],
    [[{ ...counting, pruned: true }, direction], 'q.jsonl:2: pruned: expected true or false, as other rows have it'],
    [[], 'q.jsonl: expected at least one question, got an empty file'],
  ])('refuses %j', (values, message) => {
    expect(() => readQuestions(rows(values), 'q.jsonl')).toThrow(message)
  })

  it('takes the Debiased subset from a list of ids, and refuses a list of other questions', () => {
    const marked = withPrunedIds(questions(counting, direction), new Set(['1', '77']), 'pruned.txt')
    expect(marked.map(({ pruned }) => pruned)).toEqual([false, true])
    expect(() => withPrunedIds(questions(counting), new Set(['77']), 'pruned.txt')).toThrow(
      'pruned.txt: expected ids of the questions, one a line, got 77',
    )
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

  it.each([
    [[{ id: 0, prediction: '1' }], 'expected a prediction for each of 2 questions, got none for 1: b'],
    [
      [
        { id: 0, prediction: '1' },
        { id: 0, prediction: '1' },
        { id: 'b', prediction: '' },
      ],
      'p.jsonl: expected one prediction for each id, got two for 0 (p.jsonl:1 and p.jsonl:2)',
    ],
    [[{ id: 0, prediction: null }], 'p.jsonl:1: prediction: expected a text, got null; write "" where there is no'],
    [[{ id: 0, answer: '1' }], 'p.jsonl:1: prediction: expected a text, got nothing'],
    [[{ prediction: '1' }], 'p.jsonl:1: id: expected a text or a number, got nothing'],
    [['1'], 'p.jsonl:1: expected { "id", "prediction" }, got "1"'],
  ])('refuses %j', (values, message) => {
    expect(() => read(values)).toThrow(message)
  })

  it('names five missing ids and counts the rest', () => {
    const ids = Array.from({ length: 8 }, (_, i) => i)
    expect(() => read([], ids)).toThrow('got none for 8: 0, 1, 2, 3, 4 and 3 more')
  })
})
