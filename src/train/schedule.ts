/** How many steps a run has, and the learning rate as a pure function of the step, as transformers' schedulers compute it. */
import type { TrainingValues } from './config.js'

export interface ScheduleOptions {
  readonly lrSchedulerType: 'linear' | 'cosine' | 'constant' | 'constant_with_warmup'
  readonly learningRate: number
  readonly totalSteps: number
  /** Steps over which the rate rises from 0. 'constant' has none. */
  readonly warmupSteps: number
}

/** Optimizer steps of a run. */
export function countSteps(
  { maxSteps, numTrainEpochs }: Pick<TrainingValues, 'maxSteps' | 'numTrainEpochs'>,
  stepsPerEpoch: number,
): number {
  return maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch)
}

/** Learning rate of optimizer step `step`, counted from 0. */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { lrSchedulerType: type, learningRate, totalSteps, warmupSteps } = options
  if (type === 'constant') return learningRate
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps)
  if (type === 'constant_with_warmup') return learningRate
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
  return learningRate * (type === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress)))
}
