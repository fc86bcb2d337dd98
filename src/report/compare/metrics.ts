/** The table of final and best metrics: one row per configuration, and below it one per seed where there are several. Pure. */
import { short } from '../../log/format.js'
import { high, low, mean, smoothed, smoothingWindow } from '../curve.js'
import type { Figure } from '../figures.js'
import type { Run } from '../read.js'
import type { Group } from './groups.js'
import { pointsOf, quantitiesOf } from './quantities.js'
import type { Table, TableRow } from './table.js'

/** What its columns mean. */
export const metricNote =
  'Last: the mean of the last tenth of the steps, or the last evaluation. Best: of the smoothed curve, or of the evaluations; it is biased upwards, the more so the more values there are. Several seeds: mean ± standard deviation.'

interface Measure {
  readonly title: string
  readonly of: (run: Run) => number
}

/** Of one trainer's groups; undefined when no run has any of the quantities. */
export function metricTable(groups: readonly Group[]): Table | undefined {
  const runs = groups.flatMap((group) => group.runs.map(({ run }) => run))
  const measures = quantitiesOf(runs)
    .flatMap(measuresOf)
    .filter(({ of }) => runs.some((run) => Number.isFinite(of(run))))
  if (measures.length === 0) return undefined
  return {
    columns: ['run', ...measures.map(({ title }) => title)],
    rows: groups.flatMap((group) => groupRows(group, measures)),
  }
}

function groupRows({ name, color, runs }: Group, measures: readonly Measure[]): TableRow[] {
  const cells = measures.map(({ of }) => meanAndSpread(runs.map(({ run }) => of(run))))
  const seeds = runs.map(({ name: seed, run }) => ({
    name: seed,
    below: true,
    cells: measures.map(({ of }) => shown(of(run))),
  }))
  return [{ name, color, cells }, ...(runs.length > 1 ? seeds : [])]
}

/** Which numbers sum up a quantity; a GRPO loss sums up nothing. */
function measuresOf({ title, names, better }: Figure): Measure[] {
  if (names.includes('grad_norm') || names.includes('learning_rate')) return []
  const training = (run: Run): readonly number[] =>
    names.includes('loss') && hasReward(run) ? [] : pointsOf(run, names, 'training').y
  const evaluation = (run: Run): readonly number[] => pointsOf(run, names, 'evaluation').y.filter(Number.isFinite)
  const best = better === 'low' ? low : high
  const last: Measure[] = [
    { title: `${title}\nlast`, of: (run) => lastTenth(training(run)) },
    { title: `${title}, evaluation\nlast`, of: (run) => evaluation(run).at(-1) ?? Number.NaN },
  ]
  if (!better) return last.slice(0, 1)
  return [
    ...last.slice(0, 1),
    { title: `${title}\nbest`, of: (run) => best(smooth(training(run))) },
    ...last.slice(1),
    { title: `${title}, evaluation\nbest`, of: (run) => best(evaluation(run)) },
  ]
}

function hasReward({ steps }: Run): boolean {
  return steps.some((row) => 'reward' in row)
}

function smooth(y: readonly number[]): number[] {
  return smoothed({ x: y, y }, smoothingWindow(y.length)).y.filter(Number.isFinite)
}

/** Of a curve, without what is not finite. */
export function lastTenth(values: readonly number[]): number {
  return mean(values.slice(-Math.max(1, Math.round(values.length / 10))))
}

function meanAndSpread(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite)
  const centre = mean(finite)
  if (finite.length < 2) return shown(centre)
  const squares = finite.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  return `${shown(centre)} ± ${short(Math.sqrt(squares / (finite.length - 1)))}`
}

/** A number for a cell; a dash where there is none. */
export function shown(value: number): string {
  return Number.isFinite(value) ? short(value) : '–'
}
