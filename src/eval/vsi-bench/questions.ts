/** VSI-Bench's question rows, checked one by one before anything is asked: a mistake names file, line and field. */
import { letterOf } from '../../data/questions/marks.js'
import { dataError, didYouMean, type InputError } from '../../errors.js'
import { isObject, type JsonObject, shown } from '../../json.js'
import type { Message } from '../../types.js'
import { float, strip } from './python.js'
import { isNumeric, type QuestionType, questionTypes } from './tasks.js'

/** A question under the benchmark's own names. */
export interface Question {
  /** As the row has it; 7 and "7" are the same id. */
  readonly id: string | number
  readonly dataset: string
  readonly scene_name: string
  readonly question_type: QuestionType
  readonly question: string
  /** 'A. chair', 'B. table', …; null where a number is asked for. */
  readonly options: readonly string[] | null
  /** A number as text, or an option's letter. */
  readonly ground_truth: string
  /** Left out of the Debiased subset; undefined where the rows do not say. */
  readonly pruned?: boolean
  /** What the question is about, for the blind controls. */
  readonly category?: string
  /** The row's own prompt, where it has one. */
  readonly messages?: readonly Message[]
  /** `file:line`. */
  readonly where: string
}

interface Row {
  readonly value: unknown
  readonly where: string
}

/** All rows as questions, in order. Throws an InputError for the first bad row, a repeated id, or none at all. */
export function readQuestions(rows: Iterable<Row>, name: string): Question[] {
  const questions: Question[] = []
  const seen = new Map<string, string>()
  for (const row of rows) {
    const question = readQuestion(row)
    const before = seen.get(String(question.id))
    if (before !== undefined) {
      throw dataError(
        `${row.where}: id: expected an id that no other question has, got ${question.id}, as ${before} has`,
      )
    }
    seen.set(String(question.id), question.where)
    questions.push(question)
  }
  if (questions.length === 0) throw dataError(`${name}: expected at least one question, got an empty file`)
  checkPruned(questions)
  return questions
}

/** The questions with `pruned` told by a list of ids. Throws an InputError for ids that no question has. */
export function withPrunedIds(questions: readonly Question[], ids: ReadonlySet<string>, name: string): Question[] {
  const known = new Set(questions.map(({ id }) => String(id)))
  const strange = [...ids].filter((id) => !known.has(id))
  if (strange.length === ids.size) {
    throw dataError(`${name}: expected ids of the questions, one a line, got ${listed(strange)}`)
  }
  return questions.map((question) => ({ ...question, pruned: ids.has(String(question.id)) }))
}

/** The Debiased subset's questions. Throws an InputError where the rows do not say which are pruned. */
export function debiased(questions: readonly Question[], name: string): Question[] {
  if (questions.some(({ pruned }) => pruned === undefined)) {
    throw dataError(
      `${name}: the Debiased subset needs to know which questions are pruned: expected rows with the column "pruned", as VSI-Bench has it since November 2025, or --pruned-ids with its pruned_ids.txt`,
    )
  }
  const kept = questions.filter(({ pruned }) => pruned === false)
  if (kept.length === 0) throw dataError(`${name}: all ${questions.length} questions are pruned`)
  return kept
}

/** Up to five of them, and how many more. */
export function listed(names: readonly string[]): string {
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return `${names.slice(0, 5).join(', ') || 'none'}${more}`
}

function readQuestion({ value: row, where }: Row): Question {
  if (!isObject(row)) throw bad(where, 'row', 'a JSON object', row)
  const type = readType(row.question_type, where)
  const options = readOptions(row.options, type, where)
  const { pruned, category, messages } = row
  if (pruned !== undefined && typeof pruned !== 'boolean') throw bad(where, 'pruned', 'true or false', pruned)
  return {
    id: readId(row.id, where),
    dataset: readText(row, 'dataset', where),
    scene_name: readText(row, 'scene_name', where),
    question_type: type,
    question: readText(row, 'question', where),
    options,
    ground_truth: readTruth(row.ground_truth, type, options, where),
    ...(pruned === undefined ? {} : { pruned }),
    ...(typeof category === 'string' ? { category } : {}),
    ...(Array.isArray(messages) ? { messages: messages as readonly Message[] } : {}),
    where,
  }
}

/** An id; predictions use it too. */
export function readId(value: unknown, where: string): string | number {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw bad(where, 'id', 'a text or a number', value)
}

function readText(row: JsonObject, field: string, where: string): string {
  const value = row[field]
  if (typeof value === 'string' && value.trim() !== '') return value
  throw bad(where, field, 'a text', value)
}

function readType(value: unknown, where: string): QuestionType {
  const found = questionTypes.find((type) => type === value)
  if (found) return found
  throw bad(where, 'question_type', `one of ${questionTypes.join(', ')}`, value, didYouMean(value, questionTypes))
}

function readOptions(value: unknown, type: QuestionType, where: string): readonly string[] | null {
  if (isNumeric(type)) {
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return null
    throw bad(where, 'options', `null, as ${type} asks for a number`, value)
  }
  if (!Array.isArray(value) || value.length < 2) throw bad(where, 'options', 'at least two options', value)
  return value.map((option: unknown, i) => {
    const letter = letterOf(i)
    if (typeof option === 'string' && option.startsWith(`${letter}. `)) return option
    throw bad(where, `options[${i}]`, `a text that begins with "${letter}. "`, option)
  })
}

function readTruth(value: unknown, type: QuestionType, options: readonly string[] | null, where: string): string {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? strip(value) : ''
  if (options === null) {
    const number = float(text)
    if (number !== undefined && number > 0 && number < Number.POSITIVE_INFINITY) return text
    throw bad(where, 'ground_truth', `a number above 0, as ${type} asks for`, value)
  }
  const letters = options.map((option) => option[0] ?? '')
  if (letters.includes(text.toUpperCase())) return text
  throw bad(where, 'ground_truth', `one of the letters ${letters.join(', ')}`, value)
}

/** Debiased is a subset only where every row says whether it belongs to it. */
function checkPruned(questions: readonly Question[]): void {
  const silent = questions.find(({ pruned }) => pruned === undefined)
  if (!silent || questions.every(({ pruned }) => pruned === undefined)) return
  throw bad(silent.where, 'pruned', 'true or false, as other rows have it', undefined)
}

function bad(where: string, field: string, expected: string, value: unknown, more = ''): InputError {
  return dataError(`${where}: ${field}: expected ${expected}, got ${shown(value)}${more}`)
}
