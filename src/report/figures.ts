/** Which curves the report shows, in reading order; a figure without numbers is left out. */

import type { Row } from '../log/lines.js'
import { accuracyNames } from '../log/metric-names.js'
import { type Chart, lineChart, type Series } from './chart.js'
import { column, columnNames, type Run } from './read.js'

interface Figure {
  readonly title: string
  readonly note?: string
  /** Names of one quantity; the first that the run has is drawn, with its evaluation. */
  readonly names: readonly string[]
  readonly include?: readonly number[]
  readonly smooth?: boolean
}

const figures: readonly Figure[] = [
  { title: 'Reward', names: ['reward'], note: 'Mean over the completions of a step.' },
  { title: 'Accuracy', names: accuracyNames },
  { title: 'Loss', names: ['loss'] },
  { title: 'KL to the reference policy', names: ['kl'], include: [0], note: 'k3 estimate in nats per token.' },
  { title: 'Entropy', names: ['entropy'], include: [0], note: 'Nats per token.' },
  { title: 'Completion length', names: ['completions/mean_length'], note: 'Tokens.' },
  {
    title: 'Groups without spread of reward',
    names: ['frac_reward_zero_std'],
    include: [0],
    note: 'Share; they teach nothing.',
  },
  { title: 'Gradient norm', names: ['grad_norm'], include: [0], note: 'Before clipping.' },
  { title: 'Learning rate', names: ['learning_rate'], include: [0], smooth: false },
]

/** All figures of a run as markup, one after the other. */
export function runFigures(run: Run): string {
  const charts = figures.map((figure) => chartOf(run, figure))
  // Where there are several rewards, their parts follow the sum.
  charts.splice(2, 0, rewardParts(run))
  return charts.map(lineChart).join('')
}

function chartOf(run: Run, { names, ...figure }: Figure): Chart {
  const train = firstOf(run.steps, names)
  const evaluation = firstOf(
    run.evals,
    names.map((name) => `eval_${name}`),
  )
  return {
    ...figure,
    series: [
      { label: 'training', kind: 'line', ...train },
      { label: 'evaluation', kind: 'dots', ...evaluation },
    ],
  }
}

function rewardParts(run: Run): Chart {
  const parts = columnNames(run.steps).filter((name) => /^rewards\/.+\/mean$/.test(name))
  const series = parts.map((name): Series => ({ label: name.slice(8, -5), kind: 'line', ...column(run.steps, name) }))
  return { title: 'Rewards by function', note: 'Before weighting.', series: series.length > 1 ? series : [] }
}

function firstOf(rows: readonly Row[], names: readonly string[]): { x: number[]; y: number[] } {
  const name = names.find((candidate) => rows.some((row) => candidate in row))
  return name ? column(rows, name) : { x: [], y: [] }
}
