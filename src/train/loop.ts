/**
 * The loop that trains every algorithm: batch, prepare, micro-batches, optimizer step, log, evaluate, checkpoint.
 * It yields the run's events and works only while they are taken. Nothing grows with the number of steps.
 */
import { packSequences, planBatches } from '../batch.js'
import type { Dataset } from '../data/dataset.js'
import type { Loader } from '../data/loader.js'
import { AbortedError, isAbort, VsgrpoError } from '../errors.js'
import type { NativeOptimizer } from '../native.js'
import type { Policy } from '../policy.js'
import type { Metrics, Prompt } from '../types.js'
import type { Algorithm, Prepared, Sample, Unit } from './algorithm.js'
import type { Checkpoints, TrainerState } from './checkpoint.js'
import type { TrainingValues } from './config.js'
import type { EndEvent, TrainEvent } from './events.js'
import { Meter } from './meter.js'
import { learningRateAt } from './schedule.js'

export interface Job<S extends Sample> {
  readonly policy: Policy
  readonly optimizer: NativeOptimizer
  readonly algorithm: Algorithm<S>
  readonly dataset: Dataset
  readonly loader: Loader
  /** The prompt of a row of the dataset. */
  readonly encode: (index: number) => Promise<Prompt>
  /** Optimizer steps that one batch of examples feeds. */
  readonly updatesPerBatch: number
  readonly totalSteps: number
  readonly config: TrainingValues
  /** What the start event and the checkpoints say about the run. */
  readonly description: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
  readonly from: StartingPoint<S>
  readonly warnings: readonly string[]
  readonly evaluate?: () => Promise<Metrics>
  readonly checkpoints?: Checkpoints
  readonly signal?: AbortSignal
  /** Asked after every step. */
  readonly shouldStop: () => boolean
  /** Milliseconds. */
  readonly now: () => number
}

/** Where a run begins: all zero, or what a checkpoint says. */
export interface StartingPoint<S extends Sample> {
  readonly step: number
  readonly numTokens: number
  readonly pending?: Prepared<S>
}

export async function* runLoop<S extends Sample>(job: Job<S>): AsyncGenerator<TrainEvent> {
  const { config, totalSteps, checkpoints } = job
  const progress: Progress<S> = { ...job.from, meter: new Meter(), savedStep: job.from.step || -1 }
  const startedAt = job.now()
  let reason: EndEvent['reason'] = 'finished'
  yield { type: 'start', config: job.description, totalSteps, step: progress.step }
  for (const message of job.warnings) yield { type: 'warning', message }
  try {
    if (config.evalOnStart && progress.step === 0) yield* evaluate(job, 0)
    while (progress.step < totalSteps && reason === 'finished') {
      const { rows, tokens, seconds } = await takeStep(job, progress)
      const { step } = progress
      if (rows && rows.length > 0) yield { type: 'completions', step, rows }
      if (step % config.loggingSteps === 0 || step === totalSteps) {
        const secondsLeft = (((job.now() - startedAt) / 1000) * (totalSteps - step)) / (step - job.from.step)
        const metrics = progress.meter.take()
        yield { type: 'step', step, epoch: epochOf(job, step), metrics, tokensPerSecond: tokens / seconds, secondsLeft }
      }
      if (config.evalSteps && step % config.evalSteps === 0) yield* evaluate(job, step)
      if (job.shouldStop()) reason = 'stopped'
      if (checkpoints && step % config.saveSteps === 0) yield await save(job, progress, checkpoints)
    }
  } catch (error) {
    if (!isStopRequest(error, job.signal)) throw error
    reason = 'aborted'
  }
  if (checkpoints && progress.savedStep !== progress.step) yield await save(job, progress, checkpoints)
  // Drops the gradients of a step that was cut off; at rate 0 the weights stay as they are.
  if (reason === 'aborted') await job.optimizer.step({ lr: 0, maxGradNorm: config.maxGradNorm })
  yield { type: 'end', step: progress.step, reason }
}

/** What changes from step to step. */
interface Progress<S extends Sample> {
  /** Optimizer steps done. */
  step: number
  numTokens: number
  savedStep: number
  /** The current batch of examples, while updates on it are left; its first update is the next. */
  pending?: Prepared<S>
  readonly meter: Meter
}

/** One optimizer step, after preparing a batch of examples when none is pending. */
async function takeStep<S extends Sample>(job: Job<S>, progress: Progress<S>) {
  const begunAt = job.now()
  const { step, meter } = progress
  const batchNumber = Math.floor(step / job.updatesPerBatch)
  checkAborted(job.signal)
  let { pending } = progress
  const prepares = step % job.updatesPerBatch === 0 || !pending
  if (prepares || !pending) {
    pending = await job.algorithm.prepare(job.loader.batch(batchNumber), { ...job, batchNumber, step: step + 1, meter })
  }
  const [units = [], ...rest] = pending.updates
  await update(job, units, progress)
  progress.step = step + 1
  progress.numTokens += prepares ? pending.tokens : 0
  progress.pending = progress.step % job.updatesPerBatch === 0 ? undefined : { updates: rest, tokens: pending.tokens }
  const seconds = (job.now() - begunAt) / 1000
  meter.mean('step_time', seconds)
  meter.last('num_tokens', progress.numTokens)
  meter.last('epoch', epochOf(job, progress.step))
  return { rows: prepares ? pending.rows : undefined, tokens: countTokens(units), seconds }
}

/** Gradients of all micro-batches, then the optimizer. A step without any unit changes nothing. */
async function update<S extends Sample>(
  job: Job<S>,
  units: readonly Unit<S>[],
  { step, meter }: Progress<S>,
): Promise<void> {
  const { config, algorithm, policy, optimizer } = job
  const lr = learningRateAt(step, { ...config, totalSteps: job.totalSteps, warmupSteps: warmupSteps(job) })
  const filled = units.filter(({ samples }) => samples.length > 0)
  const plan = planBatches(filled, {
    prompt: ({ prompt }) => prompt,
    rows: ({ samples }) => samples.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    budget: config.tokensPerMicroBatch,
  })
  let loss = 0
  for (const part of plan) {
    const samples = part.flatMap((unit) => unit.samples)
    const sequences = part.flatMap(({ prompt, samples: own }) =>
      own.map(({ completionIds }) => ({ prompt, completionIds })),
    )
    const { backward, measure } = algorithm.loss(samples)
    const forward = await policy.forward(packSequences(sequences), {
      grad: true,
      adapter: true,
      temperature: algorithm.temperature,
    })
    try {
      const result = await forward.backward(backward)
      loss += result.loss
      measure(result, meter)
    } finally {
      forward.dispose()
    }
    checkAborted(job.signal)
  }
  checkFinite('loss', loss, step)
  const gradNorm = plan.length === 0 ? 0 : (await optimizer.step({ lr, maxGradNorm: config.maxGradNorm })).gradNorm
  checkFinite('gradient norm', gradNorm, step)
  meter.mean('loss', loss)
  meter.mean('grad_norm', gradNorm)
  meter.last('learning_rate', lr)
}

function warmupSteps<S extends Sample>({ config, totalSteps }: Job<S>): number {
  return config.warmupSteps > 0 ? config.warmupSteps : Math.ceil(config.warmupRatio * totalSteps)
}

async function* evaluate<S extends Sample>(job: Job<S>, step: number): AsyncGenerator<TrainEvent> {
  if (job.evaluate) yield { type: 'eval', step, metrics: await job.evaluate() }
}

async function save<S extends Sample>(
  job: Job<S>,
  progress: Progress<S>,
  checkpoints: Checkpoints,
): Promise<TrainEvent> {
  const { step, numTokens, pending } = progress
  const state: TrainerState = {
    step,
    epoch: epochOf(job, step),
    batchNumber: Math.ceil(step / job.updatesPerBatch),
    numTokens,
    seed: job.config.seed,
    datasetLength: job.dataset.length,
    args: { ...job.config },
    versions: job.versions,
  }
  const dir = await checkpoints.save({ policy: job.policy, optimizer: job.optimizer, state, pending })
  progress.savedStep = step
  return { type: 'checkpoint', step, dir }
}

function epochOf<S extends Sample>(job: Job<S>, step: number): number {
  return step / (job.updatesPerBatch * job.loader.batchesPerEpoch)
}

function countTokens<S extends Sample>(units: readonly Unit<S>[]): number {
  const tokensOf = ({ prompt, samples }: Unit<S>) =>
    samples.reduce((sum, { completionIds }) => sum + completionIds.length + prompt.ids.length, 0)
  return units.reduce((sum, unit) => sum + tokensOf(unit), 0)
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError(undefined, signal.reason)
}

/** Whether an error is the signal's doing: ours, the engine's, or what a reward that listens to the signal threw. */
function isStopRequest(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && (isAbort(error) || error === signal.reason)
}

function checkFinite(what: string, value: number, step: number): void {
  if (Number.isFinite(value)) return
  throw new VsgrpoError(`[train] step ${step + 1}: the ${what} is ${value}; lower learningRate or maxGradNorm`, {
    code: 'ERR_VSGRPO_INTERNAL',
  })
}
