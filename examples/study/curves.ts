/** The curves that a run's `metrics.jsonl` holds, thinned, and what they say. */
import { join } from 'node:path'
import { readLines } from '../../src/log/lines.js'
import type { Curve } from './result.js'

/** Title in the report, and the metric of it that a run has. */
export const curveNames = {
  Reward: ['reward'],
  'Accuracy reward, words': ['rewards/accuracy/mean'],
  'Accuracy reward, numbers': ['rewards/relativeAccuracy/mean'],
  'Format rate': ['rewards/format/mean'],
  'KL to the base, nats per token': ['kl'],
  'Completion length, tokens': ['completions/mean_length'],
  'Entropy, nats per token': ['entropy'],
  'Loss of SFT and DPO': ['loss'],
} as const

export type CurveName = keyof typeof curveNames

const points = 60

/** Means over as many stretches as there are points; three digits. */
export function readCurves(runDir: string): Partial<Record<CurveName, Curve>> {
  const rows = readLines(join(runDir, 'metrics.jsonl'))
  const isGrpo = rows.some((row) => 'reward' in row)
  const read = Object.entries(curveNames).flatMap(([title, [metric]]) => {
    // GRPO's loss says nothing, and the others have no reward.
    if (isGrpo && metric === 'loss') return []
    const own = rows.filter((row) => typeof row[metric] === 'number')
    return own.length === 0 ? [] : [[title, thinned(own.map((row) => [Number(row.step), Number(row[metric])]))]]
  })
  return Object.fromEntries(read)
}

/** The mean of a metric over all rows that have it. */
export function meanOf(runDir: string, metric: string): number {
  const values = readLines(join(runDir, 'metrics.jsonl')).map((row) => row[metric])
  return mean(values.filter((value) => typeof value === 'number'))
}

function thinned(pairs: readonly (readonly [number, number])[]): Curve {
  const per = Math.ceil(pairs.length / points)
  const parts = Array.from({ length: Math.ceil(pairs.length / per) }, (_, i) => pairs.slice(i * per, (i + 1) * per))
  return {
    x: parts.map((part) => part.at(-1)?.[0] ?? 0),
    y: parts.map((part) => Number(mean(part.map(([, y]) => y)).toPrecision(3))),
  }
}

/** Means over tenths of a curve. */
export function tenths({ y }: Curve): number[] {
  const edges = Array.from({ length: 11 }, (_, i) => Math.round((i * y.length) / 10))
  return edges.slice(1).flatMap((to, i) => {
    const part = y.slice(edges[i], to)
    return part.length === 0 ? [] : [mean(part)]
  })
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
