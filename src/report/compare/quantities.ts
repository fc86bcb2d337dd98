/** Which quantities a comparison shows, and what each was in a run. Pure. */
import type { Curve } from '../curve.js'
import { type Figure, figures, firstOf } from '../figures.js'
import type { Run } from '../read.js'

export const phases = ['training', 'evaluation'] as const
export type Phase = (typeof phases)[number]

/** Those that any of the runs has; without the accuracy where it is all of the reward, in every run. */
export function quantitiesOf(runs: readonly Run[]): Figure[] {
  const has = (run: Run, { names }: Figure): boolean =>
    phases.some((phase) => pointsOf(run, names, phase).y.some(Number.isFinite))
  const present = figures.filter((figure) => runs.some((run) => has(run, figure)))
  const reward = present.find(({ names }) => names.includes('reward'))
  return present.filter((figure) => {
    const repeats = figure.title === 'Accuracy' && reward && runs.every((run) => equal(run, reward, figure))
    return !repeats
  })
}

/** The curve of a quantity in a run, in its training or its evaluations; `names`: as a `Figure` has them. */
export function pointsOf(run: Run, names: readonly string[], phase: Phase): Curve {
  return phase === 'evaluation'
    ? firstOf(
        run.evals,
        names.map((name) => `eval_${name}`),
      )
    : firstOf(run.steps, names)
}

function equal(run: Run, a: Figure, b: Figure): boolean {
  return phases.every((phase) => {
    const [first, second] = [a, b].map(({ names }) => pointsOf(run, names, phase).y)
    return (
      first?.length === second?.length &&
      first?.every((value, i) => Math.abs(value - (second?.[i] ?? Number.NaN)) < 1e-9)
    )
  })
}
