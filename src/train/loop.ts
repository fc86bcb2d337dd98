/**
 * The loop that trains every algorithm: batch, prepare, micro-batches, optimizer step, log, evaluate, checkpoint.
 * It yields the run's events and works only while they are taken. Nothing grows with the number of steps.
 */
import type { Dataset } from '../data/dataset.js'
import type { Loader } from '../data/loader.js'
import { AbortedError, fromNative, isAbort, VsgrpoError } from '../errors.js'
import type { NativeOptimizer } from '../native.js'
import type { Policy } from '../policy.js'
import type { Metrics, Prompt } from '../types.js'
import type { Algorithm, Prepared, Sample } from './algorithm.js'
import { type Best, type Checkpoints, formatVersion, type SaveParts, type TrainerState } from './checkpoint.js'
import type { TrainingValues } from './config.js'
import { evalMetric, isBetter, prefersGreater } from './early-stopping.js'
import type { EndEvent, TrainEvent } from './events.js'
import type { Guards } from './guards.js'
import { measureMemory } from './measure-memory.js'
import { Meter } from './meter.js'
import { isDue, learningRateAt, warmupStepsOf } from './schedule.js'
import { countTokens, sequencesOf } from './units.js'
import { takeUpdate } from './update.js'

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
  /** What the start event says about the run. */
  readonly description: Readonly<Record<string, unknown>>
  /** What makes the run besides its options, to tell what changed when it goes on. */
  readonly setup: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
  readonly from: StartingPoint<S>
  readonly warnings: readonly string[]
  readonly evaluate?: () => Promise<Metrics>
  /** Watches the metrics of every log row. */
  readonly guards: Pick<Guards, 'check'>
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
  readonly best?: Best
  /** Whether the evaluation after `step` was cut off, and comes first. */
  readonly isEvaluationDue?: boolean
}

export async function* runLoop<S extends Sample>(job: Job<S>): AsyncGenerator<TrainEvent> {
  const { config, totalSteps } = job
  const progress: Progress<S> = {
    ...job.from,
    meter: new Meter(),
    savedStep: job.from.step || -1,
    startedAt: job.now(),
  }
  let reason: EndEvent['reason'] = 'finished'
  yield { type: 'start', config: job.description, totalSteps, step: progress.step }
  for (const message of job.warnings) yield { type: 'warning', message }
  try {
    progress.isEvaluationDue ||= config.evalOnStart && progress.step === 0
    if (progress.isEvaluationDue) yield* evaluate(job, progress)
    while (progress.step < totalSteps && reason === 'finished') {
      yield* takeStep(job, progress)
      const { step } = progress
      progress.isEvaluationDue = config.evalSteps !== undefined && isDue(step, config.evalSteps, totalSteps)
      if (progress.isEvaluationDue) yield* evaluate(job, progress)
      if (job.shouldStop()) reason = 'stopped'
      if (isDue(step, config.saveSteps, totalSteps)) yield* save(job, progress)
    }
  } catch (error) {
    if (!isStopRequest(error, job.signal)) {
      const known = await keepForReplay(error, job, progress)
      await dropGradients(job)
      throw known
    }
    reason = 'aborted'
  }
  yield* save(job, progress)
  if (reason === 'aborted') await dropGradients(job)
  else if (config.loadBestModelAtEnd && progress.best && job.checkpoints) {
    await job.policy.restore(job.checkpoints.folderOf(progress.best.step))
  }
  yield { type: 'end', step: progress.step, reason }
}

/** Clears what a step that was cut off has left in the model; at rate 0 the weights stay as they are. */
async function dropGradients<S extends Sample>({ optimizer, config }: Job<S>): Promise<void> {
  // The optimizer refuses gradients that are not finite after clearing them.
  await optimizer.step({ lr: 0, maxGradNorm: config.maxGradNorm }).catch(() => {})
}

/** What changes from step to step. */
interface Progress<S extends Sample> {
  /** Optimizer steps done. */
  step: number
  numTokens: number
  savedStep: number
  /** The current batch of examples, while updates on it are left; its first update is the next. */
  pending?: Prepared<S>
  /** Prompts of the coming batch by row, read and encoded while this one is learned from. */
  ahead?: ReadonlyMap<number, Promise<Prompt>>
  /** The best evaluation so far by `metricForBestModel`. */
  best?: Best
  /** Whether the evaluation after `step` is still to come: one that is cut off is made when the run goes on. */
  isEvaluationDue?: boolean
  readonly meter: Meter
  /** Milliseconds. */
  readonly startedAt: number
}

/** One optimizer step, after preparing a batch of examples when none is pending. */
async function* takeStep<S extends Sample>(job: Job<S>, progress: Progress<S>): AsyncGenerator<TrainEvent> {
  const begunAt = job.now()
  const { meter } = progress
  const batchNumber = Math.floor(progress.step / job.updatesPerBatch)
  const further = (count: number, skip: number) => job.loader.further(batchNumber, count, skip)
  const { ahead } = progress
  const encode = (index: number) => ahead?.get(index) ?? job.encode(index)
  const run = { ...job, encode, batchNumber, step: progress.step + 1, meter, further }
  checkAborted(job.signal)
  let { pending } = progress
  if (!pending) {
    pending = await job.algorithm.prepare(job.loader.batch(batchNumber), run)
    for (const message of pending.warnings ?? []) yield { type: 'warning', message }
  }
  const [units = [], ...rest] = pending.updates
  progress.pending = pending
  progress.ahead = encodeAhead(job, run)
  await takeUpdate(job, units, run, learningRate(job, progress.step))
  const step = run.step
  progress.step = step
  const isFirst = (step - 1) % job.updatesPerBatch === 0
  progress.numTokens += isFirst ? pending.tokens : 0
  progress.pending = step % job.updatesPerBatch === 0 ? undefined : { updates: rest, tokens: pending.tokens }
  const seconds = (job.now() - begunAt) / 1000
  const tokens = countTokens(sequencesOf(units))
  measureStep(job, progress, { seconds, tokens })
  const { rows = [] } = pending
  if (isFirst && rows.length > 0) yield { type: 'completions', step, rows }
  if (isDue(step, job.config.loggingSteps, job.totalSteps)) {
    yield* logStep(job, progress, tokens / seconds)
  }
}

/** Starts on the next batch's prompts where a step is the last to learn from its own; a failure counts when they are needed. */
function encodeAhead<S extends Sample>(
  { algorithm, encode, loader, totalSteps, updatesPerBatch }: Job<S>,
  { batchNumber, step }: { readonly batchNumber: number; readonly step: number },
): ReadonlyMap<number, Promise<Prompt>> | undefined {
  if (algorithm.hasOwnRows || step % updatesPerBatch !== 0 || step === totalSteps) return undefined
  return new Map(
    loader.batch(batchNumber + 1).map((index) => {
      const prompt = encode(index)
      prompt.catch(() => {})
      return [index, prompt]
    }),
  )
}

function measureStep<S extends Sample>(
  job: Job<S>,
  { meter, numTokens, step }: Progress<S>,
  { seconds, tokens }: { readonly seconds: number; readonly tokens: number },
): void {
  meter.endStep()
  meter.mean('step_time', seconds)
  meter.mean('tokens_per_second', tokens / seconds)
  meter.last('num_tokens', numTokens)
  meter.last('epoch', epochOf(job, step))
}

async function* logStep<S extends Sample>(
  job: Job<S>,
  { meter, startedAt, step }: Progress<S>,
  tokensPerSecond: number,
): AsyncGenerator<TrainEvent> {
  const secondsLeft = (((job.now() - startedAt) / 1000) * (job.totalSteps - step)) / (step - job.from.step)
  await measureMemory(job.policy, meter)
  const metrics = meter.take()
  yield { type: 'step', step, epoch: epochOf(job, step), metrics, tokensPerSecond, secondsLeft }
  for (const message of job.guards.check(metrics, step)) yield { type: 'warning', message }
}

function learningRate<S extends Sample>(job: Job<S>, step: number): number {
  const { config, totalSteps } = job
  return learningRateAt(step, { ...config, totalSteps, warmupSteps: warmupStepsOf(config, totalSteps) })
}

/** An evaluation; where it is the best of those after training steps, its weights are kept. */
async function* evaluate<S extends Sample>(job: Job<S>, progress: Progress<S>): AsyncGenerator<TrainEvent> {
  const { step } = progress
  const metrics = await job.evaluate?.()
  progress.isEvaluationDue = false
  if (!metrics) return
  yield { type: 'eval', step, metrics }
  const { metricForBestModel: metric, greaterIsBetter = prefersGreater(metric ?? '') } = job.config
  if (!metric || !job.checkpoints || step === 0) return
  const value = evalMetric(metrics, metric)
  if (!isBetter(value, progress.best?.value, { greaterIsBetter })) return
  progress.best = { step, metric, value }
  yield* save(job, progress)
}

/** A checkpoint of the step, unless it has one. */
async function* save<S extends Sample>(job: Job<S>, progress: Progress<S>): AsyncGenerator<TrainEvent> {
  const { step } = progress
  if (!job.checkpoints || progress.savedStep === step) return
  const dir = await job.checkpoints.save(partsOf(job, progress))
  progress.savedStep = step
  yield { type: 'checkpoint', step, dir }
}

function partsOf<S extends Sample>(job: Job<S>, progress: Progress<S>): SaveParts<S> {
  const { step, numTokens, pending, best, isEvaluationDue } = progress
  const state: TrainerState = {
    formatVersion,
    step,
    numTokens,
    datasetLength: job.dataset.length,
    best,
    ...(isEvaluationDue ? { isEvaluationDue } : {}),
    setup: job.setup,
    args: { ...job.config },
    versions: job.versions,
  }
  return { policy: job.policy, optimizer: job.optimizer, algorithm: job.algorithm, state, pending }
}

/** After a loss or gradient that is not finite: the weights before the step, with the batch that did it, beside the error. */
async function keepForReplay<S extends Sample>(error: unknown, job: Job<S>, progress: Progress<S>): Promise<unknown> {
  const known = fromNative(error)
  if (!(known instanceof VsgrpoError) || known.code !== 'ERR_VSGRPO_NUMERICS' || !job.checkpoints) return known
  const dir = await job.checkpoints.saveFailed(partsOf(job, progress))
  return new VsgrpoError(`${known.message}; the weights before it and its batch are in ${dir}`, {
    code: known.code,
    hint: `Resume from that folder to see the step again.`,
    cause: known,
  })
}

function epochOf<S extends Sample>(job: Job<S>, step: number): number {
  return step / (job.updatesPerBatch * job.loader.batchesPerEpoch)
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError(undefined, signal.reason)
}

/** Whether an error is the signal's doing: ours, the engine's, or what a reward that listens to the signal threw. */
function isStopRequest(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && (isAbort(error) || error === signal.reason)
}
