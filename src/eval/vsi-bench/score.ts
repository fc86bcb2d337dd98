/**
 * VSI-Bench's scoring as published (lmms_eval/tasks/vsibench/utils.py of vision-x-nyu/thinking-in-space): the first word
 * of the answer, the letter's equality or mean relative accuracy, means per type, directions averaged, tasks averaged.
 */
import { meanRelativeAccuracy } from '../../rewards/relative-accuracy.js'
import { float, strip } from './python.js'
import { isNumeric, type QuestionType, questionTypes, type TaskName, taskNames, taskOf } from './tasks.js'

/** What scoring needs to know of a question. */
export interface Scored {
  readonly question_type: QuestionType
  /** A number as text, or an option's letter. */
  readonly ground_truth: string
}

/** All in points of 100; null where there is no question of the kind. */
export interface Scores {
  /** Unweighted mean of the tasks that have questions. */
  readonly average: number | null
  readonly tasks: Readonly<Record<TaskName, number | null>>
  readonly questionTypes: Readonly<Record<QuestionType, number | null>>
  /** Mean over questions, which some authors report instead. */
  readonly microAverage: number | null
}

/** The part of an answer that counts: up to the first space (no other white space), without trailing full stops. */
export function firstWord(prediction: string): string {
  const [word = ''] = prediction.split(' ', 1)
  return strip(word.replace(/\.+$/, ''))
}

/** 0 to 1. */
export function scorePrediction(question: Scored, prediction: string): number {
  const word = firstWord(prediction)
  if (!isNumeric(question.question_type)) return word.toLowerCase() === question.ground_truth.toLowerCase() ? 1 : 0
  const [predicted, right] = [float(word), float(question.ground_truth)]
  return predicted === undefined || right === undefined ? 0 : meanRelativeAccuracy(predicted, right)
}

/** Whether the scorer can read an answer of the right kind in it, be it right or wrong. */
export function isReadable(question: Scored, prediction: string): boolean {
  const word = firstWord(prediction)
  return isNumeric(question.question_type) ? Number.isFinite(float(word)) : /^[a-z]$/i.test(word)
}

/** Means of `points` [Q], one for each question. */
export function aggregate(questions: readonly Scored[], points: ArrayLike<number>): Scores {
  const sums = questionTypes.map(() => ({ sum: 0, count: 0 }))
  let total = 0
  questions.forEach(({ question_type: type }, i) => {
    const own = sums[questionTypes.indexOf(type)]
    const value = points[i] ?? 0
    total += value
    if (own === undefined) return
    own.sum += value
    own.count += 1
  })
  const means = sums.map(({ sum, count }) => sum / count)
  const { average, tasks } = combine(means)
  return {
    average: hundred(average),
    tasks: byName(taskNames, tasks.map(hundred)),
    questionTypes: byName(questionTypes, means.map(hundred)),
    microAverage: hundred(total / questions.length),
  }
}

/** Means per type (NaN: no questions) to means per task and over tasks. */
export function combine(typeMeans: readonly number[]): { average: number; tasks: number[] } {
  const types = questionTypes.map((type, i) => ({ task: taskOf(type), mean: typeMeans[i] ?? Number.NaN }))
  const tasks = taskNames.map((name) => meanOf(types.filter(({ task }) => task === name).map(({ mean }) => mean)))
  return { average: meanOf(tasks), tasks }
}

/** Number of questions of each task. */
export function countTasks(questions: readonly Scored[]): Record<TaskName, number> {
  const counts = taskNames.map((task) => questions.filter((q) => taskOf(q.question_type) === task).length)
  return byName(taskNames, counts)
}

/** NaN for none. */
function meanOf(values: readonly number[]): number {
  const present = values.filter((value) => !Number.isNaN(value))
  return present.reduce((sum, value) => sum + value, 0) / present.length
}

function hundred(value: number): number | null {
  return Number.isNaN(value) ? null : value * 100
}

function byName<K extends string, V>(names: readonly K[], values: readonly V[]): Record<K, V> {
  return Object.fromEntries(names.map((name, i) => [name, values[i]])) as Record<K, V>
}
