/** Tables of the runs themselves: how far and how long, and what each came to on held-out questions. Pure. */
import { duration } from '../../log/format.js'
import { high } from '../curve.js'
import { column, lastStep, type Run, stateOf } from '../read.js'
import { standardError } from '../table.js'
import { type Group, seedOf } from './groups.js'
import { shown } from './metrics.js'
import { trainerOf } from './options.js'
import type { Table } from './table.js'
import { trainingSeconds } from './time.js'

/** One row per run: who, how far, how long. */
export function runTable(groups: readonly Group[]): Table {
  const rows = groups.flatMap((group) =>
    group.runs.map(({ name, run }) => ({
      name,
      color: group.color,
      cells: [trainerOf(group), seedOf(run), stateOf(run), steps(run), time(run), ...speed(run)],
    })),
  )
  return {
    columns: ['run', 'trainer', 'seed', 'state', 'steps', 'time', 's/step', 'tokens/s', 'GiB'],
    rows,
    note: 's/step and tokens/s: medians over the steps. GiB: the most memory that was logged.',
  }
}

function steps(run: Run): string {
  return run.facts ? `${lastStep(run)} of ${run.facts.totalSteps}` : String(lastStep(run))
}

/** A run under way notes its time at checkpoints only; its steps know more. */
function time(run: Run): string {
  const seconds = Math.max(run.facts?.seconds ?? 0, trainingSeconds(run))
  return seconds > 0 ? duration(seconds) : '–'
}

function speed(run: Run): string[] {
  const median = (name: string): number => middle(column(run.steps, name).y.filter(Number.isFinite))
  return [median('step_time'), median('tokens_per_second'), mostMemory(run) / 2 ** 30].map(shown)
}

/** Of the GPU where there is one, else of the process; in bytes. */
function mostMemory(run: Run): number {
  const [onGpu, onHost] = ['memory/gpu_peak', 'memory/peak'].map((name) =>
    column(run.steps, name).y.filter(Number.isFinite),
  )
  return high(onGpu?.length ? onGpu : (onHost ?? []))
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(half)] ?? Number.NaN)
    : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2
}

/** What `summary.json` says of each run, in per cent; undefined when no run has one. */
export function summaryTable(groups: readonly Group[]): Table | undefined {
  const runs = groups.flatMap(({ color, runs }) => runs.map((compared) => ({ ...compared, color })))
  const names = [...new Set(runs.flatMap(({ run }) => run.summary?.results.map(({ name }) => name) ?? []))]
  if (names.length === 0) return undefined
  return {
    columns: ['run', 'questions', ...names],
    rows: runs.flatMap(({ name, run, color }) =>
      run.summary ? [{ name, color, cells: summaryCells(run, names) }] : [],
    ),
    note: 'Accuracy in per cent ± one standard error.',
  }
}

function summaryCells({ summary }: Run, names: readonly string[]): string[] {
  const cells = names.map((name) => {
    const result = summary?.results.find((candidate) => candidate.name === name)?.result
    if (!result) return '–'
    const error = standardError({ ...result, count: result.count ?? summary?.heldOutQuestions })
    const spread = Number.isFinite(error) ? ` ± ${(100 * error).toFixed(1)}` : ''
    return `${(100 * result.accuracy).toFixed(1)}${spread}`
  })
  return [summary?.heldOutQuestions === undefined ? '–' : String(summary.heldOutQuestions), ...cells]
}
