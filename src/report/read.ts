/**
 * Reads a run folder for the report. Everything but the folder itself may be missing: a run that has just begun, one
 * without an evaluation, one of another algorithm. What cannot be read is named in `problems`, never guessed.
 *
 * `samples.json`: `[{ frames: [image paths relative to the run folder], question, answer, task?, base: { completion,
 * reward }, trained: { completion, reward } }]`.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { InputError } from '../errors.js'
import { type Row, readLines } from '../log/lines.js'
import { type RunFacts, readFacts } from '../log/run-folder.js'
import { optionalNumber, parseSummary, record, type Summary } from './summary.js'

export interface Answered {
  readonly completion: string
  readonly reward: number | null
}

export interface Sample {
  readonly frames: readonly string[]
  readonly question: string
  readonly answer?: string
  readonly task?: string
  /** One entry per model, or per completion of a group. */
  readonly answers: readonly { readonly by: string; readonly answered: Answered }[]
}

export interface Run {
  readonly dir: string
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly facts?: RunFacts
  /** Rows of optimizer steps, in order of steps. */
  readonly steps: readonly Row[]
  /** Rows of evaluations. */
  readonly evals: readonly Row[]
  readonly summary?: Summary
  readonly samples: readonly Sample[]
  readonly problems: readonly string[]
}

/** Throws an `InputError` when `dir` is not a run folder. */
export function readRun(dir: string): Run {
  const folder = resolve(dir)
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new InputError(`${dir}: no such folder; give the run folder (the outputDir) of a training run`)
  }
  const known = ['config.json', 'metrics.jsonl', 'summary.json']
  if (!known.some((file) => existsSync(join(folder, file)))) {
    throw new InputError(`${dir}: not a run folder (no ${known.join(', no ')}); give the outputDir of a training run`)
  }
  const problems: string[] = []
  const read = (file: string): unknown => readJson(join(folder, file), problems)
  const config = record(read('config.json'))
  const summary = parseSummary(read('summary.json'))
  const samples = parseSamples(read('samples.json'))
  const rows = readLines(join(folder, 'metrics.jsonl'))
  return {
    dir: folder,
    name: basename(folder),
    config: config ?? {},
    facts: readFacts(folder),
    ...splitRows(rows),
    summary,
    samples: samples.length > 0 ? samples : lastGroups(readLines(join(folder, 'completions.jsonl'))),
    problems,
  }
}

/** A file of JSON; undefined when it is missing or, with a word in `problems`, when it cannot be read. */
function readJson(file: string, problems: string[]): unknown {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    problems.push(`${basename(file)} could not be read: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

/** An evaluation is a row with an `eval_` column and no loss; columns of both kinds may share a row. */
function splitRows(rows: readonly Row[]): { steps: Row[]; evals: Row[] } {
  const names = (row: Row): string[] => Object.keys(row).filter((key) => key !== 'step' && key !== 'epoch')
  const ordered = rows.filter((row) => typeof row.step === 'number').sort((a, b) => number(a.step) - number(b.step))
  return {
    steps: ordered.filter((row) => names(row).some((key) => !key.startsWith('eval_'))),
    evals: ordered.filter((row) => names(row).some((key) => key.startsWith('eval_'))),
  }
}

function parseSamples(value: unknown): Sample[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((entry) => {
    const sample = record(entry)
    if (!sample) return []
    const answers = ['base', 'trained', 'supervised'].flatMap((by) => {
      const given = record(sample[by])
      return given
        ? [{ by, answered: { completion: text(given.completion), reward: optionalNumber(given.reward) ?? null } }]
        : []
    })
    return [{ frames: strings(sample.frames), question: text(sample.question), ...labels(sample), answers }]
  })
}

/** Without `samples.json`: some groups of the last step that left completions. */
function lastGroups(rows: readonly Row[]): Sample[] {
  const last = rows.at(-1)?.step
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    if (row.step !== last) continue
    const key = `${text(row.exampleId)} ${text(row.question)}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...groups.values()].map((group) => ({
    frames: strings(group[0]?.media),
    question: text(group[0]?.question),
    task: `training, step ${text(last)}`,
    ...labels(group[0] ?? {}),
    answers: group.map((row, i) => ({
      by: `${i + 1} of ${group.length}`,
      answered: { completion: text(row.completion), reward: optionalNumber(row.reward) ?? null },
    })),
  }))
}

function labels(row: Row): { answer?: string; task?: string } {
  return {
    ...(row.answer === undefined || row.answer === null ? {} : { answer: text(row.answer) }),
    ...(typeof row.task === 'string' ? { task: row.task } : {}),
  }
}

/** The values of one column against the step; what is missing or was not finite is NaN. */
export function column(rows: readonly Row[], name: string): { x: number[]; y: number[] } {
  const present = rows.filter((row) => name in row)
  return { x: present.map((row) => number(row.step)), y: present.map((row) => number(row[name])) }
}

/** The metrics that any row has. */
export function columnNames(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== 'step' && name !== 'epoch')
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value)
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
