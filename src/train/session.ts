/**
 * What all trainers share around the loop: encoded prompts, the optimizer, resuming, and handing events to callbacks and
 * reporters before the caller sees them.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { saving } from '../atomic-file.js'
import { type Dataset, placeOf } from '../data/dataset.js'
import { createLoader } from '../data/loader.js'
import { InputError } from '../errors.js'
import type { Reporter } from '../log/reporter.js'
import { runFolder } from '../log/run-folder.js'
import { tensorboard } from '../log/tensorboard.js'
import type { Policy, PolicyProcessor } from '../policy.js'
import { acquireLock, ownerOf, releaseLock } from '../process-lock.js'
import type { Example, Metrics, Prompt } from '../types.js'
import { version } from '../version.js'
import type { Algorithm, Sample } from './algorithm.js'
import { Checkpoints } from './checkpoint.js'
import type { TrainingValues } from './config.js'
import type { EndEvent, TrainEvent } from './events.js'
import { type GuardOptions, Guards } from './guards.js'
import { runLoop } from './loop.js'
import { mediaPaths } from './media-paths.js'
import { PromptCache } from './prompt-cache.js'
import { beginRun } from './resume.js'
import { countSteps } from './schedule.js'

/** Called with every event; 'stop' ends the run after the current step. */
export type Callback = (event: TrainEvent) => unknown
/** Turns an example into a prompt: for media that are not files. */
export type Encode = (example: Example, processor: PolicyProcessor) => Promise<Prompt>

export interface TrainerOptions {
  /** The policy to train, as `loadModel` gives it; the caller disposes of it. */
  readonly model: Policy
  readonly trainDataset: Dataset
  readonly evalDataset?: Dataset
  readonly callbacks?: readonly Callback[]
  /** Default: `runFolder(outputDir)` where there is an output folder. */
  readonly reporters?: readonly Reporter[]
  /** Interrupts the run: it finishes the micro-batch, saves a checkpoint and ends with reason 'aborted'. */
  readonly signal?: AbortSignal
  /** Default: the processor on the example's messages. */
  readonly encode?: Encode
  /** Rows with equal keys show the same media (see `promptsPerMedia`). Default: the paths in the messages. */
  readonly mediaKey?: (example: Example) => string
  /** Encoded prompts kept in memory, in bytes. Default 64 MiB. */
  readonly promptCacheBytes?: number
}

export interface TrainOptions {
  /** A checkpoint's folder, or true for the newest in `outputDir` that is whole. */
  readonly resumeFromCheckpoint?: boolean | string
}

/** How a run ended. */
export interface TrainResult {
  readonly reason: EndEvent['reason']
  /** Optimizer steps done, those before a resume included. */
  readonly steps: number
  /** Metrics of the last log row. */
  readonly metrics: Metrics
}

/** What one kind of trainer brings. */
export interface Recipe<S extends Sample> {
  /** Made anew for every run; `dispose` is called when it ends. */
  readonly begin: () => Promise<{ algorithm: Algorithm<S>; dispose(): void }>
  readonly batchSize: number
  readonly updatesPerBatch: number
  readonly lastBatch: 'drop' | 'keep'
  readonly config: TrainingValues
  /** What the run's configuration says besides `args`. */
  readonly description: Readonly<Record<string, unknown>>
  /** Said once, when a run starts. */
  readonly warnings?: readonly string[]
  readonly evaluate: (signal?: AbortSignal) => Promise<Metrics>
  /** What counts as going wrong; see `Guards`. */
  readonly guards?: GuardOptions
}

/** Runs a trainer: yields its events, and returns when the run has ended and all is freed. */
export async function* runSession<S extends Sample>(
  options: TrainerOptions,
  recipe: Recipe<S>,
  { resumeFromCheckpoint = false }: TrainOptions = {},
): AsyncGenerator<TrainEvent, void> {
  const { signal } = options
  const { outputDir } = recipe.config
  const delivery = new Delivery(options, recipe.config)
  // Prompts of a batch that a run does not come to are no longer read when it ends.
  const over = new AbortController()
  const reading = AbortSignal.any(signal ? [signal, over.signal] : [over.signal])
  const cleanups: Cleanup[] = [() => over.abort(), () => delivery.close()]
  const failures: Failure[] = []
  try {
    if (outputDir) cleanups.push(occupy(outputDir))
    const job = await prepareJob({ ...options, signal: reading }, recipe, resumeFromCheckpoint, cleanups)
    yield* delivery.pass(runLoop<S>({ ...job, signal, shouldStop: () => delivery.stopRequested }))
  } catch (error) {
    failures.push({ error })
  } finally {
    failures.push(...(await attempt(cleanups)))
  }
  // The first one is why: what an end could not close may be no more than its consequence.
  if (failures[0]) throw failures[0].error
}

type Cleanup = () => void | Promise<void>
interface Failure {
  readonly error: unknown
}

/** Calls all of them, whatever becomes of one, and gives what they threw. */
async function attempt(calls: readonly Cleanup[]): Promise<Failure[]> {
  const failures: Failure[] = []
  for (const call of calls) {
    try {
      await call()
    } catch (error) {
      failures.push({ error })
    }
  }
  return failures
}

/** All that the loop works with, at the step where the run begins; what frees it comes first in `cleanups`. */
async function prepareJob<S extends Sample>(
  options: TrainerOptions,
  recipe: Recipe<S>,
  from: boolean | string,
  cleanups: Cleanup[],
) {
  const { model: policy, trainDataset: dataset } = options
  const { config } = recipe
  const encode = createEncoder(options, dataset)
  const loader = createLoader({ ...recipe, ...loaderSettings(options, config), length: dataset.length })
  const found = config.outputDir ? new Checkpoints(config.outputDir, config.saveTotalLimit) : undefined
  const checkpoints = config.saveStrategy === 'no' ? undefined : found
  const createOptimizer = () => policy.createOptimizer(optimizerSettings(config))
  const setup = { model: policy.dir, ...recipe.description }
  const parts = { policy, dataset, encode, config, setup, begin: recipe.begin, createOptimizer }
  const { dispose, ...start } = await beginRun<S>(from, found, parts)
  cleanups.unshift(dispose)
  return {
    ...recipe,
    ...start,
    policy,
    dataset,
    loader,
    encode,
    setup,
    warnings: [...start.warnings, ...leaveBehind(checkpoints, start.from.step), ...(recipe.warnings ?? [])],
    totalSteps: countSteps(config, loader.batchesPerEpoch * recipe.updatesPerBatch),
    description: describe(options, recipe, start.algorithm.name),
    versions: { vsgrpo: version, node: process.version },
    evaluate: options.evalDataset ? () => recipe.evaluate(options.signal) : undefined,
    checkpoints,
    guards: new Guards(recipe.guards),
    now: () => performance.now(),
  }
}

/** Checkpoints of an earlier run in the folder that got further. */
function leaveBehind(checkpoints: Checkpoints | undefined, step: number): string[] {
  const aside = checkpoints?.setAsideAfter(step)
  if (!aside) return []
  return [`${aside.names.join(', ')} of an earlier run, which this one does not go on from, moved to ${aside.folder}`]
}

/** Two runs in one folder would tear each other's files: throws where one is at work. Gives what ends that. */
function occupy(outputDir: string): () => void {
  const lock = join(outputDir, 'run.lock')
  const isFree = saving(lock, () => {
    mkdirSync(outputDir, { recursive: true })
    return acquireLock(lock)
  })
  if (isFree) return () => releaseLock(lock)
  throw new InputError(
    `[train] ${outputDir}: process ${ownerOf(lock)} is training into it; wait for its end, or give another outputDir`,
  )
}

/** Takes a session to its end. */
export async function finish(events: AsyncGenerator<TrainEvent, void>): Promise<TrainResult> {
  let metrics: Metrics = {}
  let end: { reason: EndEvent['reason']; step: number } = { reason: 'stopped', step: 0 }
  for await (const event of events) {
    if (event.type === 'step') metrics = event.metrics
    if (event.type === 'end') end = event
  }
  return { reason: end.reason, steps: end.step, metrics }
}

/** The prompt of each row of a dataset: the caller's way or the processor's, cached. */
export function createEncoder(options: TrainerOptions, dataset: Dataset): (index: number) => Promise<Prompt> {
  const { model, encode, promptCacheBytes = 64 * 2 ** 20, signal } = options
  const encodeRow = async (index: number) => {
    const example = dataset.get(index)
    if (encode) return encode(example, model.processor)
    return model.processor.prompt(example.messages, { where: placeOf(dataset, index), signal })
  }
  const cache = new PromptCache(encodeRow, promptCacheBytes)
  return (index) => cache.get(index)
}

/** Hands events to reporters and callbacks, in order, and sees to it that every reporter hears of the end and is closed. */
class Delivery {
  stopRequested = false
  private readonly reporters: readonly Reporter[]
  private readonly callbacks: readonly Callback[]
  private last: TrainEvent | undefined

  constructor({ reporters, callbacks = [] }: TrainerOptions, { outputDir, reportTo }: TrainingValues) {
    const given = reporters ?? (outputDir ? [runFolder(outputDir)] : [])
    this.reporters = outputDir && reportTo === 'tensorboard' ? [...given, tensorboard(outputDir)] : given
    this.callbacks = callbacks
  }

  async *pass(events: AsyncGenerator<TrainEvent>): AsyncGenerator<TrainEvent, void> {
    let failed = true
    let step = 0
    try {
      for await (const event of events) {
        if ('step' in event) step = event.step
        await this.deliver(event)
        failed = false
        yield event
        failed = true
      }
      failed = false
    } finally {
      // The caller left the loop over the events: the reporters have not heard of an end.
      if (!failed && this.last?.type !== 'end') await this.deliver({ type: 'end', step, reason: 'stopped' })
    }
  }

  async close(): Promise<void> {
    const [failure] = await attempt(this.reporters.map((reporter) => () => reporter.close?.()))
    if (failure) throw failure.error
  }

  private async deliver(event: TrainEvent): Promise<void> {
    this.last = event
    for (const reporter of this.reporters) await reporter.onEvent(event)
    for (const callback of this.callbacks) {
      if ((await callback(event)) === 'stop') this.stopRequested = true
    }
  }
}

function loaderSettings({ trainDataset, mediaKey }: TrainerOptions, config: TrainingValues) {
  const keyOf = mediaKey ?? ((example: Example) => JSON.stringify(mediaPaths(example.messages)))
  const media = { keyOf: (index: number) => keyOf(trainDataset.get(index)), together: config.promptsPerMedia }
  return { seed: config.seed, shuffle: config.shuffleDataset, media }
}

function optimizerSettings({ adamBeta1, adamBeta2, adamEpsilon, weightDecay, ...dtypes }: TrainingValues) {
  const { optimStateDtype: stateDtype, gradDtype } = dtypes
  return { beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon, weightDecay, stateDtype, gradDtype }
}

function describe<S extends Sample>(options: TrainerOptions, recipe: Recipe<S>, algorithm: string) {
  const { model, trainDataset, evalDataset } = options
  const { parameters, trainable, dtype } = model.native.info()
  return {
    algorithm,
    model: { dir: model.dir, parameters, trainable, dtype, ...(model.lora ? { lora: model.lora } : {}) },
    trainRows: trainDataset.length,
    ...(trainDataset.files?.length ? { trainFiles: trainDataset.files } : {}),
    ...(evalDataset ? { evalRows: evalDataset.length } : {}),
    ...(evalDataset?.files?.length ? { evalFiles: evalDataset.files } : {}),
    ...recipe.description,
    args: recipe.config,
  }
}
