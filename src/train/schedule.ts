/** How many steps a run has, and the learning rate as a pure function of the step, as transformers' schedulers compute it. */

export const schedulerKwargs = ['numCycles', 'power', 'lrEnd', 'minLr', 'minLrRate'] as const

/**
 * What a schedule can be told besides its type, under transformers' names and with its defaults. `numCycles`: waves of the
 * cosine, 0.5 (one fall) or, with restarts, 1. `power` and `lrEnd`: exponent (1) and last rate (1e-7). `minLr` or
 * `minLrRate`: the lowest rate, or its share of `learningRate`.
 */
export type SchedulerKwargs = { readonly [name in (typeof schedulerKwargs)[number]]?: number }

const kwargsByType = {
  linear: [],
  cosine: ['numCycles'],
  cosine_with_restarts: ['numCycles'],
  cosine_with_min_lr: ['numCycles', 'minLr', 'minLrRate'],
  polynomial: ['power', 'lrEnd'],
  constant: [],
  constant_with_warmup: [],
} satisfies Record<string, readonly (keyof SchedulerKwargs)[]>

export type LrSchedulerType = keyof typeof kwargsByType
export const lrSchedulerTypes = Object.keys(kwargsByType) as readonly LrSchedulerType[]

/** What is wrong with a schedule's kwargs, or undefined. */
export function scheduleFault(options: Omit<ScheduleOptions, 'totalSteps' | 'warmupSteps'>): string | undefined {
  const { lrSchedulerType: type, lrSchedulerKwargs = {}, learningRate } = options
  const taken: readonly string[] = kwargsByType[type]
  const foreign = Object.keys(lrSchedulerKwargs).find((name) => !taken.includes(name))
  if (foreign !== undefined) return `'${type}' takes ${taken.join(', ') || 'none'}, got ${foreign}`
  const { minLr, minLrRate, lrEnd = type === 'polynomial' ? 1e-7 : 0 } = lrSchedulerKwargs
  if (type === 'cosine_with_min_lr' && (minLr === undefined) === (minLrRate === undefined))
    return `'${type}' needs minLr or minLrRate, one of them`
  const lowest = Math.max(minLr ?? 0, (minLrRate ?? 0) * learningRate, lrEnd)
  return lowest > learningRate ? `the rate would end at ${lowest}, above learningRate ${learningRate}` : undefined
}

export interface ScheduleOptions {
  readonly lrSchedulerType: LrSchedulerType
  readonly lrSchedulerKwargs?: SchedulerKwargs
  readonly learningRate: number
  readonly totalSteps: number
  /** Steps over which the rate rises from 0. 'constant' has none. */
  readonly warmupSteps: number
}

/** Optimizer steps of a run. */
export function countSteps(
  { maxSteps, numTrainEpochs }: { readonly maxSteps: number; readonly numTrainEpochs: number },
  stepsPerEpoch: number,
): number {
  return maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch)
}

/** Whether something happens after a step, counted from 1, that happens every so many steps and after the last. */
export function isDue(step: number, every: number, totalSteps: number): boolean {
  return step % stepsOf(every, totalSteps) === 0 || step === totalSteps
}

export function warmupStepsOf(
  { warmupSteps, warmupRatio }: { readonly warmupSteps: number; readonly warmupRatio: number },
  totalSteps: number,
): number {
  return stepsOf(warmupSteps > 0 ? warmupSteps : warmupRatio, totalSteps)
}

/** A number of steps; below 1 it is a part of all of them. */
function stepsOf(value: number, totalSteps: number): number {
  return value < 1 ? Math.ceil(value * totalSteps) : value
}

/** Learning rate of optimizer step `step`, counted from 0. */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { lrSchedulerType: type, learningRate, totalSteps, warmupSteps } = options
  if (type === 'constant') return learningRate
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps)
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
  return learningRate * factorAt(progress, options)
}

/** The part of the learning rate at a share of the steps after the warm-up. */
function factorAt(progress: number, { lrSchedulerType: type, lrSchedulerKwargs = {}, learningRate }: ScheduleOptions) {
  const { numCycles = type === 'cosine_with_restarts' ? 1 : 0.5, power = 1, lrEnd = 1e-7 } = lrSchedulerKwargs
  switch (type) {
    case 'linear':
      return 1 - progress
    case 'cosine':
      return cosine(2 * numCycles * progress)
    case 'cosine_with_restarts':
      return progress < 1 ? cosine((numCycles * progress) % 1) : 0
    case 'cosine_with_min_lr': {
      const { minLr = 0, minLrRate = minLr / learningRate } = lrSchedulerKwargs
      return cosine(2 * numCycles * progress) * (1 - minLrRate) + minLrRate
    }
    case 'polynomial': {
      const end = lrEnd / learningRate
      return (1 - end) * (1 - progress) ** power + end
    }
    default:
      return 1
  }
}

/** 1 at 0, 0 at 1. */
function cosine(halfWaves: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * halfWaves))
}
