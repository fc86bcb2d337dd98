/** Small question sets for the tests of this folder. */
import { readQuestions } from '../../../src/eval/vsi-bench/questions.js'

export type Fields = Record<string, unknown>

export const counting: Fields = {
  ...{ id: 0, dataset: 'arkitscenes', scene_name: 's0', question_type: 'object_counting' },
  ...{ question: 'How many chair(s) are in this room?', options: null, ground_truth: '2' },
}
export const direction: Fields = {
  ...{ id: 1, dataset: 'arkitscenes', scene_name: 's0', question_type: 'object_rel_direction_easy' },
  ...{ question: 'Left or right?', options: ['A. left', 'B. right'], ground_truth: 'B' },
}

/** Rows as a file gives them: places are q.jsonl:1 and so on. */
export function rows(values: readonly unknown[], name = 'q.jsonl'): { value: unknown; where: string }[] {
  return values.map((value, i) => ({ value, where: `${name}:${i + 1}` }))
}

export const questions = (...values: readonly Fields[]) => readQuestions(rows(values), 'q.jsonl')
