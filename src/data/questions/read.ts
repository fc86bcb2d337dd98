/** Questions from a JSON Lines file in the benchmark's fields, and the answers to all of them. */

import { z } from 'zod'
import { dataError } from '../../errors.js'
import { groupBy } from '../../group-by.js'
import { checked, text } from '../scenes/fields.js'
import { parseJson, readText } from '../scenes/json-text.js'
import { type Definition, measureOf } from '../scenes/measure.js'
import type { Scenes } from '../scenes/record.js'
import { answerQuestion, type GivenQuestion } from './answer.js'

export interface QuestionInFile extends GivenQuestion {
  readonly id: string | number
  readonly scene: string
}

export interface Answer {
  readonly id: string | number
  readonly answer: string | null
}

/** Reads rows { id, scene_name, question, options? }. Throws an InputError that names file, line and field. */
export function readQuestions(file: string): QuestionInFile[] {
  const seen = new Set<string | number>()
  const rows = readText(file, 'a JSON Lines file of questions')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return []
      const where = `${file}:${index + 1}`
      const question = parseRow(parseJson(line, where), where)
      const { id } = question
      if (seen.has(id)) throw dataError(`${where}: id: there are two questions ${JSON.stringify(id)}`)
      seen.add(id)
      return [question]
    })
  if (rows.length === 0) throw dataError(`${file}: expected a question per line, got none`)
  return rows
}

/** In the questions' order. Questions about scenes that are not there get null. */
export function answerAll(questions: readonly QuestionInFile[], scenes: Scenes, definition: Definition): Answer[] {
  const answers = new Map<string | number, string | null>()
  for (const [name, some] of groupBy(questions, ({ scene }) => scene)) {
    const scene = scenes.get(name)
    // A measure keeps thousands of points per box: one per scene, gone with it.
    const measure = measureOf(definition)
    for (const question of some) answers.set(question.id, scene ? answerQuestion(question, scene, measure) : null)
  }
  return questions.map(({ id }) => ({ id, answer: answers.get(id) ?? null }))
}

const row = z.looseObject(
  {
    id: z.union([z.string(), z.number()], 'a string or a number'),
    scene_name: text,
    question: text,
    options: z.array(text, 'a list of options or null').nullish(),
  },
  'a question { "id", "scene_name", … }',
)

function parseRow(value: unknown, where: string): QuestionInFile {
  const { id, scene_name: scene, question, options = null } = checked(row, value, where)
  return { id, scene, question, options }
}
