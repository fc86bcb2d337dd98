/**
 * `summary.json` of a run folder, written after a run by whoever evaluates it: `{ base, trained, blind, supervised?,
 * grey?: { base, trained }, heldOutQuestions, seed, steps, seconds: { setup, train, eval } }`, where each result is
 * `{ accuracy, reward?, count?, byTask: { [task]: { accuracy, reward?, count? } } }`; a bare number stands for an accuracy.
 */
import { optionalNumber, record } from './values.js'

/** Accuracy (0 to 1) of one model on one set of questions. */
export interface Score {
  readonly accuracy: number
  readonly reward?: number
  /** Questions asked. */
  readonly count?: number
}

export interface Result extends Score {
  readonly byTask: Readonly<Record<string, Score>>
}

export interface Summary {
  /** In the order of the table's columns. */
  readonly results: readonly { readonly name: string; readonly result: Result }[]
  readonly heldOutQuestions?: number
  readonly seed?: number
  readonly steps?: number
  readonly seconds: Readonly<Record<string, number>>
}

const columns = [
  ['base', 'base'],
  ['trained', 'trained'],
  ['blind', 'blind control'],
  ['supervised', 'supervised, continued'],
] as const

/** The results that a parsed `summary.json` holds, or undefined when it holds none. */
export function parseSummary(value: unknown): Summary | undefined {
  const summary = record(value)
  if (!summary) return undefined
  const grey = record(summary.grey) ?? {}
  const named: (readonly [string, unknown])[] = [
    ...columns.map(([key, name]) => [name, summary[key]] as const),
    ['grey frames, base', grey.base],
    ['grey frames, trained', grey.trained],
  ]
  const results = named.flatMap(([name, candidate]) => {
    const result = parseResult(candidate)
    return result ? [{ name, result }] : []
  })
  if (results.length === 0) return undefined
  const seconds = Object.entries(record(summary.seconds) ?? {}).filter(([, s]) => typeof s === 'number')
  return {
    results,
    heldOutQuestions: optionalNumber(summary.heldOutQuestions),
    seed: optionalNumber(summary.seed),
    steps: optionalNumber(summary.steps),
    seconds: Object.fromEntries(seconds.map(([name, s]) => [name, Number(s)])),
  }
}

function parseResult(value: unknown): Result | undefined {
  const score = parseScore(value)
  if (!score) return undefined
  const tasks = Object.entries(record(record(value)?.byTask) ?? {}).flatMap(([task, candidate]) => {
    const taskScore = parseScore(candidate)
    return taskScore ? [[task, taskScore] as const] : []
  })
  return { ...score, byTask: Object.fromEntries(tasks) }
}

function parseScore(value: unknown): Score | undefined {
  if (typeof value === 'number') return { accuracy: value }
  const score = record(value)
  if (!score || typeof score.accuracy !== 'number') return undefined
  return {
    accuracy: score.accuracy,
    reward: optionalNumber(score.reward),
    count: optionalNumber(score.count ?? score.questions ?? score.n),
  }
}
