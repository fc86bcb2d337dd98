/**
 * Reads a run folder for the report. Everything but the folder itself may be missing: a run that has just begun, one
 * without an evaluation, one of another algorithm. What cannot be read is named in `problems`, never guessed.
 *
 * `samples.json`: `[{ frames: [image paths relative to the run folder], question, answer, task?, base: { completion,
 * reward }, trained: { completion, reward } }]`.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { InputError, systemCause } from '../errors.js'
import { groupBy } from '../group-by.js'
import { type Row, rowsOf } from '../log/lines.js'
import { type RunFacts, readFacts } from '../log/run-folder.js'
import { parseSummary, type Summary } from './summary.js'
import { number, optionalNumber, record, strings, text } from './values.js'

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
  readonly problems: readonly string[]
}

const runFiles = ['config.json', 'metrics.jsonl', 'summary.json']

function isRun(folder: string): boolean {
  return runFiles.some((file) => existsSync(join(folder, file)))
}

function namesIn(folder: string, shown: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    throw new InputError(`${shown}: cannot be read: ${systemCause(error)}; give a run folder that you may read`)
  }
}

/** Throws an `InputError` when `dir` is not a run folder. */
export function readRun(dir: string): Run {
  const folder = resolve(dir)
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    const what = existsSync(folder) ? 'a file, not a run folder' : 'no such folder'
    throw new InputError(`${dir}: ${what}; give the run folder (the outputDir) of a training run`)
  }
  if (!isRun(folder)) {
    const inside = namesIn(folder, dir).filter((name) => isRun(join(folder, name)))
    const cure = inside.length > 0 ? `the runs in it are ${dir}/*` : 'give the outputDir of a training run'
    throw new InputError(`${dir}: not a run folder (no ${runFiles.join(', no ')}); ${cure}`)
  }
  const problems: string[] = []
  const read = (file: string): unknown => readJson(join(folder, file), problems)
  const config = record(read('config.json'))
  const summary = parseSummary(read('summary.json'))
  const rows = readRows(join(folder, 'metrics.jsonl'), problems)
  return {
    dir: folder,
    name: basename(folder),
    config: config ?? {},
    facts: readFacts(folder),
    ...splitRows(rows),
    summary,
    problems,
  }
}

/** The questions that `samples.json` holds, or else some groups of the last step; names in `problems` what cannot be read. */
export function readSamples(dir: string, problems: string[] = []): Sample[] {
  const samples = parseSamples(readJson(join(dir, 'samples.json'), problems))
  return samples.length > 0 ? samples : lastGroups(readRows(join(dir, 'completions.jsonl'), problems))
}

/** The rows of a file; a last line that is still being written is no problem, others that cannot be read are. */
function readRows(file: string, problems: string[]): Row[] {
  const rows: Row[] = []
  let bad = 0
  try {
    for (const row of rowsOf(file, () => bad++)) rows.push(row)
  } catch (error) {
    problems.push(`${basename(file)} could not be read: ${systemCause(error)}`)
  }
  if (bad > 0) problems.push(`${basename(file)}: ${bad} ${bad === 1 ? 'line' : 'lines'} could not be read`)
  return rows
}

/** A file of JSON; undefined when it is missing or, with a word in `problems`, when it cannot be read. */
function readJson(file: string, problems: string[]): unknown {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    problems.push(`${basename(file)} could not be read: ${systemCause(error)}`)
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
  const groups = groupBy(
    rows.filter(({ step }) => step === last),
    (row) => `${text(row.exampleId)} ${text(row.question)}`,
  )
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

/** The last step that left a row. */
export function lastStep(run: Run): number {
  const step = run.steps.at(-1)?.step
  return typeof step === 'number' ? step : (run.facts?.step ?? 0)
}

/** In words; a run that was killed cannot say so. */
export function stateOf({ facts }: Run): string {
  const words = {
    running: 'still running, or killed',
    finished: 'finished',
    aborted: 'interrupted',
    stopped: 'stopped',
  }
  return facts ? words[facts.state] : ''
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
