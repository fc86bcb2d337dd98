/**
 * How a run begins: anew or from a checkpoint, with its algorithm and its optimizer as they were. Where the newest checkpoint
 * was asked for and it cannot be read, the one before it is taken, and the run says so.
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Dataset } from '../data/dataset.js'
import { InputError, type VsgrpoError } from '../errors.js'
import { shown } from '../json.js'
import type { NativeOptimizer } from '../native.js'
import type { Policy } from '../policy.js'
import type { Prompt } from '../types.js'
import type { Algorithm, Sample } from './algorithm.js'
import { type Checkpoints, isDamage, loadOptimizer, readPending, readState } from './checkpoint.js'
import type { TrainingValues } from './config.js'
import type { StartingPoint } from './loop.js'

export interface BeginOptions<S extends Sample> {
  readonly policy: Policy
  readonly dataset: Dataset
  readonly encode: (index: number) => Promise<Prompt>
  readonly config: TrainingValues
  /** As in `TrainerState`. */
  readonly setup: Readonly<Record<string, unknown>>
  readonly begin: () => Promise<{ algorithm: Algorithm<S>; dispose(): void }>
  readonly createOptimizer: () => Promise<NativeOptimizer>
}

/** What a run works with from its first step on. */
export interface Beginning<S extends Sample> {
  readonly from: StartingPoint<S>
  readonly warnings: readonly string[]
  readonly algorithm: Algorithm<S>
  readonly optimizer: NativeOptimizer
  dispose(): void
}

/** `wanted`: a checkpoint's folder, true for the newest that is whole, false for none. */
export async function beginRun<S extends Sample>(
  wanted: boolean | string,
  checkpoints: Checkpoints | undefined,
  options: BeginOptions<S>,
): Promise<Beginning<S>> {
  if (wanted !== true) return beginAt(wanted || undefined, options)
  const damaged: Damage[] = []
  for (const dir of checkpoints?.newestFirst() ?? []) {
    try {
      const beginning = await beginAt(dir, options)
      return { ...beginning, warnings: [...damaged.map((one) => setAside(one, dir)), ...beginning.warnings] }
    } catch (error) {
      if (!isDamage(error)) throw error
      damaged.push({ dir, error })
    }
  }
  throw nothingToGoOnFrom(damaged)
}

interface Damage {
  readonly dir: string
  readonly error: VsgrpoError
}

/** Out of the way of the checkpoints that the run will write: it would count as the newest of them. */
function setAside({ dir, error }: Damage, taken: string): string {
  const name = `damaged-${basename(dir)}`
  const aside = join(dirname(dir), name)
  if (existsSync(aside)) rmSync(aside, { recursive: true })
  renameSync(dir, aside)
  return `${basename(dir)} is damaged, and is named ${name} now: ${error.message}; the run goes on from ${basename(taken)}`
}

function nothingToGoOnFrom([first]: readonly Damage[]): InputError {
  const code = 'ERR_VSGRPO_CHECKPOINT'
  if (!first) {
    return new InputError('[resume] no checkpoint to go on from in outputDir; start without resumeFromCheckpoint', {
      code,
    })
  }
  return new InputError(`[resume] no checkpoint in ${dirname(first.dir)} can be read: ${first.error.message}`, {
    code,
    hint: 'Give the model and the dataset that the run had, or start anew with another outputDir.',
    cause: first.error,
  })
}

/** All of a run at a checkpoint, or anew; where that fails, nothing is left to dispose of. */
async function beginAt<S extends Sample>(dir: string | undefined, options: BeginOptions<S>): Promise<Beginning<S>> {
  // Before the algorithm: it may take the policy as it is then for its reference.
  const start = dir === undefined ? freshStart : await restore<S>(dir, options)
  const { algorithm, dispose: end } = await options.begin()
  let optimizer: NativeOptimizer | undefined
  const dispose = (): void => {
    optimizer?.dispose()
    end()
  }
  try {
    optimizer = await options.createOptimizer()
    if (dir !== undefined) {
      await loadOptimizer(dir, optimizer)
      await algorithm.restore?.(dir)
    }
    return { ...start, algorithm, optimizer, dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

const freshStart = { from: { step: 0, numTokens: 0 }, warnings: [] }

/** Puts the policy back to a checkpoint, and says which options are not what they were. */
async function restore<S extends Sample>(dir: string, { policy, dataset, encode, config, setup }: BeginOptions<S>) {
  const state = readState(dir)
  if (state.datasetLength !== dataset.length) {
    throw new InputError(
      `[resume] ${dir} was trained on ${state.datasetLength} rows, the dataset has ${dataset.length}; give the same dataset`,
    )
  }
  const pending = await readPending<S>(dir, encode)
  await policy.restore(dir)
  const { step, numTokens, best, isEvaluationDue } = state
  const from: StartingPoint<S> = { step, numTokens, pending, best, isEvaluationDue }
  return { from, warnings: [...changes(state.setup, setup), ...changedOptions(state.args, { ...config })] }
}

/** Options that change what a run computes; where it writes and what it logs may change freely. */
function changedOptions(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): string[] {
  const free = /^(outputDir|reportTo|save|log|eval|numCompletionsToPrint|perDeviceEval|tokensPerMicroBatch)/
  const relevant = Object.entries(now).filter(([name]) => !free.test(name))
  return changes(before, Object.fromEntries(relevant))
}

function changes(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): string[] {
  const changed = Object.keys(now).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]))
  return changed.map(
    (name) => `${name} was ${shown(before[name], 200)} in the checkpoint and is ${shown(now[name], 200)} now`,
  )
}
