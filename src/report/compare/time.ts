/** Time as an axis: what training itself took, without evaluations, checkpoints and pauses. Pure. */
import { column, type Run } from '../read.js'

export interface TimeAxis {
  readonly unit: 'seconds' | 'minutes' | 'hours'
  readonly seconds: number
}

/** The unit in which the longest run is a number to be read. */
export function timeAxis(runs: readonly Run[]): TimeAxis {
  const longest = Math.max(0, ...runs.map(trainingSeconds))
  if (longest < 600) return { unit: 'seconds', seconds: 1 }
  return longest < 36_000 ? { unit: 'minutes', seconds: 60 } : { unit: 'hours', seconds: 3600 }
}

/** From a step to the time after it; NaN for a run that has not measured its steps. */
export function trainingTime(run: Run, { seconds }: TimeAxis): (step: number) => number {
  const { x, y } = column(run.steps, 'step_time')
  const after = new Map<number, number>()
  let sum = 0
  for (const [i, step] of x.entries()) {
    sum += y[i] ?? Number.NaN
    after.set(step, sum / seconds)
  }
  return (step) => (step === 0 ? 0 : (after.get(step) ?? Number.NaN))
}

export function trainingSeconds(run: Run): number {
  return column(run.steps, 'step_time')
    .y.filter(Number.isFinite)
    .reduce((sum, value) => sum + value, 0)
}
