/** The curves of groups over each other: which figures, which points, and how each group's line is made. */
import { type Chart, lineChart } from '../chart.js'
import type { Curve } from '../curve.js'
import { type Figure, figures } from '../figures.js'
import { columnNames, type Run } from '../read.js'
import type { Series } from '../strokes.js'
import type { Group } from './groups.js'
import { trainerOf } from './options.js'
import { pointsOf, quantitiesOf } from './quantities.js'
import { type TimeAxis, timeAxis, trainingTime } from './time.js'

/** More groups than this, and the values behind the means would hide each other. */
const groupsWithRaw = 2
const notDrawn = /^(profiling|memory)\/|^(num_tokens|tokens_per_second|step_time)$/

/** The known quantities, each with its evaluation beside it. */
export function mainCharts(groups: readonly Group[]): string {
  const trainers = [...new Set(groups.map(trainerOf))]
  return quantitiesOf(runsOf(groups))
    .flatMap((figure) => {
      if (!figure.names.includes('loss') || trainers.length === 1) return chartsOf(groups, figure)
      // Losses of different trainers have nothing to do with each other.
      return trainers.flatMap((trainer) =>
        chartsOf(
          groups.filter((group) => trainerOf(group) === trainer),
          { ...figure, title: `${figure.title}, ${trainer}` },
        ),
      )
    })
    .map(lineChart)
    .join('')
}

function chartsOf(groups: readonly Group[], figure: Figure): Chart[] {
  return [chart(groups, figure), chart(groups, figure, { evaluation: true })]
}

function runsOf(groups: readonly Group[]): Run[] {
  return groups.flatMap(({ runs }) => runs.map(({ run }) => run))
}

/** What was to become better, by the time that training took. */
export function timeCharts(groups: readonly Group[]): string {
  const time = timeAxis(runsOf(groups))
  const chosen = quantitiesOf(runsOf(groups)).filter(({ better }) => better === 'high')
  const charts = chosen.flatMap((figure) => [
    chart(groups, figure, { time }),
    chart(groups, figure, { time, evaluation: true }),
  ])
  return charts
    .filter(({ series }) => new Set(series.map(({ color }) => color)).size > 1)
    .map(lineChart)
    .join('')
}

/** All other metrics that vary, and the names of those that do not. */
export function otherCharts(groups: readonly Group[]): { charts: string; constant: readonly string[] } {
  const known = new Set(figures.flatMap(({ names }) => names))
  const runs = runsOf(groups)
  const names = [...new Set(runs.flatMap(({ steps }) => columnNames(steps)))]
    .filter((name) => !known.has(name) && !notDrawn.test(name) && !name.startsWith('eval_'))
    .sort()
  const constant = names.filter((name) => isConstant(runs, name))
  const drawn = names.filter((name) => !constant.includes(name))
  return { charts: drawn.map((name) => lineChart(chart(groups, { title: name, names: [name] }))).join(''), constant }
}

function isConstant(runs: readonly Run[], name: string): boolean {
  const values = new Set(runs.flatMap(({ steps }) => steps.filter((row) => name in row).map((row) => row[name])))
  return values.size <= 1
}

interface ChartOptions {
  readonly evaluation?: boolean
  /** Default: by step. */
  readonly time?: TimeAxis
}

function chart(
  groups: readonly Group[],
  { names, title, ...figure }: Figure,
  { evaluation = false, time }: ChartOptions = {},
): Chart {
  const points = (run: Run): Curve => {
    const curve = pointsOf(run, names, evaluation ? 'evaluation' : 'training')
    return time ? timed(curve, run, time) : curve
  }
  const series = groups.flatMap((group) =>
    seriesOf(group, points, { evaluation, alone: groups.length <= groupsWithRaw }),
  )
  const { note, ...drawing } = figure
  return {
    ...drawing,
    ...(note && !evaluation ? { note } : {}),
    title: evaluation ? `${title}, evaluation` : title,
    series,
    legend: false,
    ...(time ? { unit: time.unit } : {}),
  }
}

/** Points whose time is not known are left out. */
function timed(curve: Curve, run: Run, time: TimeAxis): Curve {
  const x = curve.x.map(trainingTime(run, time))
  const known = (_: unknown, i: number): boolean => Number.isFinite(x[i])
  return { x: x.filter(known), y: curve.y.filter(known) }
}

/** One run: its values and their mean. Several: each thinly, and the mean over all as far as all of them go. */
function seriesOf(
  group: Group,
  points: (run: Run) => Curve,
  { evaluation, alone }: { evaluation: boolean; alone: boolean },
): Series[] {
  const curves = group.runs.map(({ run }) => points(run)).filter(({ y }) => y.some(Number.isFinite))
  const [first] = curves
  if (!first) return []
  const { color, name: label } = group
  if (curves.length === 1) {
    const kind = evaluation ? 'dots' : alone ? 'line' : 'mean'
    return [{ label, color, kind, ...first }]
  }
  const each = curves.map((curve): Series => ({ label, color, kind: 'thin', ...curve }))
  return [...each, { label, color, kind: evaluation ? 'dots' : 'mean', ...meanOf(curves) }]
}

/** The mean of the curves' n-th points, up to the end of the shortest; where runs log alike these are the same steps. */
export function meanOf(curves: readonly Curve[]): Curve {
  const count = Math.min(...curves.map(({ y }) => y.length))
  const at = (values: (curve: Curve) => readonly number[]): number[] =>
    Array.from(
      { length: count },
      (_, i) => curves.reduce((sum, curve) => sum + (values(curve)[i] ?? Number.NaN), 0) / curves.length,
    )
  return { x: at(({ x }) => x), y: at(({ y }) => y) }
}
