/** Which curves the report shows, in reading order; a figure without numbers is left out. */

import type { Row } from '../log/lines.js'
import { accuracyNames } from '../log/metric-names.js'
import { type Chart, lineChart } from './chart.js'
import { column, columnNames, type Run } from './read.js'
import type { Series } from './strokes.js'

export interface Figure {
  readonly title: string
  readonly note?: string
  /** Names of one quantity; the first that the run has is drawn, with its evaluation. */
  readonly names: readonly string[]
  readonly include?: readonly number[]
  readonly smooth?: boolean
  /** Which values are the good ones, where that can be said. */
  readonly better?: 'high' | 'low'
}

export const figures: readonly Figure[] = [
  { title: 'Reward', names: ['reward'], note: 'Mean over the completions of a step.', better: 'high' },
  { title: 'Accuracy', names: accuracyNames, better: 'high' },
  {
    title: 'Pairs told apart',
    names: ['rewards/accuracies'],
    note: 'Share of pairs whose chosen answer has the higher implicit reward.',
    better: 'high',
  },
  {
    title: 'Margin',
    names: ['rewards/margins'],
    include: [0],
    note: 'Implicit reward of the chosen answer less that of the rejected one.',
    better: 'high',
  },
  { title: 'Loss', names: ['loss'], better: 'low' },
  {
    title: 'Right tokens',
    names: ['mean_token_accuracy'],
    note: 'Share of tokens that are the likeliest.',
    better: 'high',
  },
  { title: 'KL to the reference policy', names: ['kl'], include: [0], note: 'Estimate in nats per token.' },
  { title: 'Entropy', names: ['entropy'], include: [0], note: 'Nats per token.' },
  { title: 'Completion length', names: ['completions/mean_length'], note: 'Tokens.' },
  { title: 'Log-probability of chosen answers', names: ['logps/chosen'], note: 'Nats per answer.' },
  { title: 'Log-probability of rejected answers', names: ['logps/rejected'], note: 'Nats per answer.' },
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
  // Where there are several rewards, their parts follow their sum and the accuracy.
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

export function firstOf(rows: readonly Row[], names: readonly string[]): { x: number[]; y: number[] } {
  const name = names.find((candidate) => rows.some((row) => candidate in row))
  return name ? column(rows, name) : { x: [], y: [] }
}
