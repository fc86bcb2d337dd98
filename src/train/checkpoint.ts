/**
 * Checkpoints of a run: `checkpoints/step-N` is a Hugging Face folder (with LoRA: the adapter's) plus
 * - `trainer.json` and `optimizer.safetensors`;
 * - `samples.json` where completions are still to be learned from: between two updates on the same ones, and in `failed-step-N`;
 * - `reference/`, the reference policy, where the run moves it (`syncRefModel`);
 * - `entropy-control.json`, the coefficient of `useAdaptiveEntropy`.
 * A checkpoint is whole or not there; going on from it gives the same numbers as never having stopped.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saving } from '../atomic-file.js'
import { moveToEarlier, removeLeftovers, writeFolder } from '../atomic-folder.js'
import { fromNative, InputError, systemCause, VsgrpoError } from '../errors.js'
import { isObject } from '../json.js'
import type { NativeOptimizer } from '../native.js'
import type { Policy } from '../policy.js'
import type { Prompt } from '../types.js'
import type { Algorithm, Prepared, Sample, Unit } from './algorithm.js'

/** `trainer.json`: where a run stands. Everything random is a function of the seed, in `args`, and the step. */
export interface TrainerState {
  /** Of a checkpoint's folder as a whole: `formatVersion` here when it was written. */
  readonly formatVersion: number
  /** Optimizer steps done. */
  readonly step: number
  readonly numTokens: number
  readonly datasetLength: number
  readonly best?: Best
  /** The evaluation after `step` was cut off. */
  readonly isEvaluationDue?: boolean
  /** The model's folder, and what else the trainer was given: rewards, say. */
  readonly setup: Readonly<Record<string, unknown>>
  /** The resolved options; with `setup` they tell what changed. */
  readonly args: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
}

/** The best evaluation of a run; its checkpoint outlives `saveTotalLimit`. */
export interface Best {
  readonly step: number
  readonly metric: string
  readonly value: number
}

/** Raised when what a checkpoint holds changes, so that an older or newer vsgrpo says so instead of misreading it. */
export const formatVersion = 1

const stateFile = 'trainer.json'
const optimizerFile = 'optimizer.safetensors'
const samplesFile = 'samples.json'

export interface SaveParts<S extends Sample> {
  readonly policy: Policy
  readonly optimizer: NativeOptimizer
  readonly algorithm: Algorithm<S>
  readonly state: TrainerState
  /** Completions that are still to be trained on. */
  readonly pending?: Prepared<S>
}

/** The checkpoints of one run folder. */
export class Checkpoints {
  private readonly folder: string

  constructor(
    outputDir: string,
    private readonly limit = Number.POSITIVE_INFINITY,
  ) {
    this.folder = join(outputDir, 'checkpoints')
  }

  /** Writes `step-N`, then removes the oldest past the limit, but for the best. Gives the folder. */
  async save<S extends Sample>(parts: SaveParts<S>): Promise<string> {
    removeLeftovers(this.folder)
    const dir = this.folderOf(parts.state.step)
    await writeFolder(dir, (temporary) => fill(temporary, parts), { existing: 'replace' })
    const best = parts.state.best && `step-${parts.state.best.step}`
    const surplus = this.list().slice(0, -this.limit)
    for (const name of surplus) if (name !== best) rmSync(join(this.folder, name), { recursive: true, force: true })
    return dir
  }

  /** Writes `failed-step-N`: a checkpoint of the step before N, with N's samples. It is never the newest. */
  async saveFailed<S extends Sample>(parts: SaveParts<S>): Promise<string> {
    const dir = join(this.folder, `failed-step-${parts.state.step + 1}`)
    await writeFolder(dir, (temporary) => fill(temporary, parts), { existing: 'replace' })
    return dir
  }

  folderOf(step: number): string {
    return join(this.folder, `step-${step}`)
  }

  /**
   * Moves those of later steps into a folder of their own: they would count as newer than what a run from `step` saves. Says
   * which and where to, if there are any.
   */
  setAsideAfter(step: number): { readonly names: readonly string[]; readonly folder: string } | undefined {
    const names = this.list().filter((name) => stepOf(name) > step)
    if (names.length === 0) return undefined
    return { names, folder: saving(this.folder, () => moveToEarlier(this.folder, names)) }
  }

  /** Their folders. */
  newestFirst(): string[] {
    return this.list()
      .reverse()
      .map((name) => join(this.folder, name))
  }

  /** The state of the newest checkpoint that has one to read. */
  newestState(): TrainerState | undefined {
    for (const dir of this.newestFirst()) {
      try {
        return readState(dir)
      } catch (error) {
        if (!isDamage(error)) throw error
      }
    }
    return undefined
  }

  /** Names by step, oldest first. */
  private list(): string[] {
    if (!existsSync(this.folder)) return []
    const names = readdirSync(this.folder).filter((name) => /^step-\d+$/.test(name))
    return names.sort((a, b) => stepOf(a) - stepOf(b))
  }
}

function stepOf(name: string): number {
  return Number(name.slice('step-'.length))
}

async function fill<S extends Sample>(dir: string, { policy, optimizer, algorithm, state, pending }: SaveParts<S>) {
  await policy.writeInto(dir, policy.lora ? 'adapter' : 'model')
  await optimizer.save(join(dir, optimizerFile))
  await algorithm.save?.(dir)
  writeFileSync(join(dir, stateFile), `${JSON.stringify(state, null, 2)}\n`)
  if (pending) writeFileSync(join(dir, samplesFile), packSamples(pending))
}

/** Reads `trainer.json`; an InputError when the folder is no checkpoint of a run. */
export function readState(dir: string): TrainerState {
  const state = readJson(dir, stateFile, { accepts: isState })
  if (state.formatVersion === formatVersion) return state
  throw damage(dir, `its format is ${state.formatVersion}, this vsgrpo reads ${formatVersion}`)
}

/** Whether all is there that going on needs. */
function isState(value: unknown): value is TrainerState {
  if (!isObject(value) || !isObject(value.args) || !isObject(value.setup)) return false
  return [value.formatVersion, value.step, value.numTokens, value.datasetLength].every(
    (count) => typeof count === 'number',
  )
}

/** Whether an error says that a checkpoint cannot be read, or not by this model. */
export function isDamage(error: unknown): error is VsgrpoError {
  return error instanceof VsgrpoError && error.code === 'ERR_VSGRPO_CHECKPOINT'
}

/** Loads the optimizer's state from a checkpoint. */
export async function loadOptimizer(dir: string, optimizer: NativeOptimizer): Promise<void> {
  try {
    await optimizer.load(join(dir, optimizerFile))
  } catch (error) {
    throw fromNative(error)
  }
}

/** The completions that a checkpoint still had to train on, if any. */
export async function readPending<S extends Sample>(
  dir: string,
  encode: (index: number) => Promise<Prompt>,
): Promise<Prepared<S> | undefined> {
  if (!existsSync(join(dir, samplesFile))) return undefined
  const saved = readJson(dir, samplesFile, { accepts: isSaved<S>, revive: reviveArray })
  const withPrompt = async (unit: SavedUnit<S>) => ({ ...unit, prompt: await encode(unit.index) })
  return { ...saved, updates: await Promise.all(saved.updates.map((units) => Promise.all(units.map(withPrompt)))) }
}

/** `samples.json`. Prompts are left out: they come from the dataset again. */
interface Saved<S extends Sample> extends Pick<Prepared<S>, 'tokens' | 'rows'> {
  readonly updates: readonly (readonly SavedUnit<S>[])[]
}
type SavedUnit<S extends Sample> = Omit<Unit<S>, 'prompt'>

function isSaved<S extends Sample>(value: unknown): value is Saved<S> {
  if (!isObject(value) || typeof value.tokens !== 'number') return false
  return Array.isArray(value.updates) && value.updates.every(Array.isArray)
}

/** A JSON file of a checkpoint, of the shape that is expected there; anything else is damage (`isDamage`). */
export function readJson<T>(
  dir: string,
  name: string,
  expected: { accepts: (value: unknown) => value is T; revive?: (key: string, value: unknown) => unknown },
): T {
  const file = join(dir, name)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'), expected.revive)
  } catch (error) {
    throw damage(dir, `cannot read ${file}: ${systemCause(error)}`, error)
  }
  if (expected.accepts(value)) return value
  throw damage(dir, `${file} does not hold what a run writes there`)
}

function damage(dir: string, what: string, cause?: unknown): InputError {
  return new InputError(`[resume] ${dir} is not a checkpoint of a run: ${what}`, {
    code: 'ERR_VSGRPO_CHECKPOINT',
    hint: 'Name another checkpoint, or resumeFromCheckpoint: true, which takes the newest that is whole.',
    cause,
  })
}

function packSamples<S extends Sample>({ updates, tokens, rows }: Prepared<S>): string {
  const units = updates.map((update) => update.map(({ index, samples }) => ({ index, samples })))
  const saved: Saved<S> = { tokens, rows, updates: units }
  return JSON.stringify(saved, (_, value: unknown) => {
    if (value instanceof Float32Array) return { float32: toBase64(value) }
    if (value instanceof Int32Array) return { int32: toBase64(value) }
    return value
  })
}

function reviveArray(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('float32' in value && typeof value.float32 === 'string') return new Float32Array(fromBase64(value.float32))
  if ('int32' in value && typeof value.int32 === 'string') return new Int32Array(fromBase64(value.int32))
  return value
}

function toBase64(values: Float32Array | Int32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')
}

function fromBase64(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, 'base64')).buffer
}
