/**
 * Stopping a run that no longer gets better, and what "better" is. The semantics are those of transformers'
 * `EarlyStoppingCallback`: the best value follows every improvement, however small; an evaluation that is not better than
 * it by more than `threshold` uses up patience.
 */
import { didYouMean, InputError } from '../errors.js'
import { checkInteger } from '../option-checks.js'
import type { Metrics } from '../types.js'
import type { TrainEvent } from './events.js'

export interface Comparison {
  readonly greaterIsBetter: boolean
  /** By how much a value must be better. Default 0. */
  readonly threshold?: number
}

/** Whether a value is better than the best so far, undefined = none yet. NaN is never better. */
export function isBetter(candidate: number, best: number | undefined, comparison: Comparison): boolean {
  const { greaterIsBetter, threshold = 0 } = comparison
  if (Number.isNaN(candidate)) return false
  if (best === undefined || Number.isNaN(best)) return true
  return (greaterIsBetter ? candidate - best : best - candidate) > threshold
}

/** transformers' default of `greater_is_better`: a metric whose name ends in "loss" should fall, any other rise. */
export function prefersGreater(metric: string): boolean {
  return !metric.endsWith('loss')
}

/** The value of a metric in an evaluation, its name with or without `eval_`; throws an InputError when it has none. */
export function evalMetric(metrics: Metrics, metric: string): number {
  const name = metric.startsWith('eval_') ? metric : `eval_${metric}`
  const value = metrics[name]
  if (value !== undefined) return value
  const names = Object.keys(metrics)
  throw new InputError(
    `[metric] expected one of the evaluation's metrics ${names.join(', ')}, got ${metric}${didYouMean(name, names)}`,
    { code: 'ERR_VSGRPO_CONFIG' },
  )
}

export interface EarlyStoppingOptions {
  /** Default 'eval_reward'; `eval_` may be left out. */
  readonly metric?: string
  /** Evaluations in a row without improvement that end the run, >= 1. Default 3 (transformers: 1). */
  readonly patience?: number
  /** What counts as an improvement is larger than this, >= 0. Default 0. */
  readonly threshold?: number
  /** Default: whether the metric's name does not end in "loss". */
  readonly greaterIsBetter?: boolean
}

/**
 * A callback for trainers that evaluate while they train (`evalDataset`, `evalSteps`). A run that resumes starts with full
 * patience and no best value. Throws an InputError when an evaluation does not have the metric.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): (event: TrainEvent) => 'stop' | undefined {
  const { metric = 'eval_reward', patience = 3, threshold = 0 } = options
  const { greaterIsBetter = prefersGreater(metric) } = options
  checkInteger('[earlyStopping] patience', patience, 1)
  if (!(threshold >= 0)) throw new InputError(`[earlyStopping] threshold: expected a number >= 0, got ${threshold}`)
  let best: number | undefined
  let waited = 0

  return (event) => {
    if (event.type === 'start') {
      best = undefined
      waited = 0
    }
    if (event.type !== 'eval') return undefined
    const value = evalMetric(event.metrics, metric)
    waited = isBetter(value, best, { greaterIsBetter, threshold }) ? 0 : waited + 1
    if (isBetter(value, best, { greaterIsBetter })) best = value
    return waited >= patience ? 'stop' : undefined
  }
}
