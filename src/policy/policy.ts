/**
 * A model that answers and learns: the engine's model, the processor that feeds it, and the folder that both came from.
 * It owns the engine's memory until `dispose()`.
 */
import { writeFolder } from '../atomic-folder.js'
import { type PackedSequences, packPrompts, type Sequence } from '../batch.js'
import { AbortedError, InputError, isAbort } from '../errors.js'
import {
  adapterFiles,
  checkModelFolder,
  copyModelFiles,
  publishConfig,
  readAdapter,
  writeAdapter,
} from '../model-folder.js'
import type {
  ForwardOptions,
  Generated,
  GenerateOptions,
  LoraOptions,
  MemoryInUse,
  NativeForward,
  NativeModel,
  NativeOptimizer,
  OptimizerOptions,
  TokenStats,
} from '../native.js'
import { planBatches } from '../plan-batches.js'
import type { Processor } from '../processing/index.js'
import type { Completion, Prompt } from '../types.js'
import { frozenCopy, loadReferenceAdapter, onSameBase, type Reference } from './reference.js'
import { sequenceSeeds, streamKeys } from './streams.js'
import {
  defaultTokensPerBatch,
  type Engine,
  loadWeights,
  type ScoreOptions,
  scoreWith,
  type Weights,
  type WeightsOptions,
} from './weights.js'

export interface SampleOptions {
  /** Answers per prompt. Default 1. */
  readonly numGenerations?: number
  /** Default 256. */
  readonly maxNewTokens?: number
  /** 0 = greedy. Default 1. */
  readonly temperature?: number
  /** Keep the k most likely tokens; 0 = off, the default. */
  readonly topK?: number
  /** Keep the most likely tokens up to this mass; 1 = off, the default. */
  readonly topP?: number
  /** Keep tokens at least this part as likely as the likeliest; 0 = off, the default. */
  readonly minP?: number
  /** Divides the logits of tokens seen before; 1 = off, the default. */
  readonly repetitionPenalty?: number
  /** Default 0. */
  readonly seed?: number
  /** What a prompt's random numbers depend on besides the seed. Default: its content, and how often it came before. */
  readonly keys?: readonly (string | number)[]
  /** Packed rows in memory at a time, new tokens included. Changes no result. Default 32768. */
  readonly tokensPerBatch?: number
  /**
   * Keep the prompts' pass for the training pass that comes next, where prompts and answers fit into this many packed rows:
   * each prompt is then encoded once for both. Changes results by rounding at most. Default 0: never.
   */
  readonly keepPromptsWithin?: number
  readonly signal?: AbortSignal
}

/** The part of a processor that a policy needs. */
export type PolicyProcessor = Pick<Processor, 'prompt' | 'encode' | 'decode' | 'eosIds' | 'maxPositions'>

export interface PolicyParts {
  readonly weights: Weights
  readonly processor: PolicyProcessor
  /** The folder that the weights came from. */
  readonly dir: string
  readonly engine: Engine
  /** How the weights were loaded; says too whether there are adapters. */
  readonly load: WeightsOptions
}

export class Policy implements Disposable, AsyncDisposable {
  readonly processor: PolicyProcessor
  readonly dir: string
  private readonly engine: Engine
  private readonly load: WeightsOptions
  private weights: Weights

  constructor(parts: PolicyParts) {
    this.weights = parts.weights
    this.processor = parts.processor
    this.dir = parts.dir
    this.engine = parts.engine
    this.load = parts.load
  }

  /** The engine's model. */
  get native(): NativeModel {
    return this.weights.model
  }

  /** The adapters' configuration; undefined when all weights train. */
  get lora(): LoraOptions | undefined {
    return this.load.lora
  }

  /** Samples answers: [P][G], in the order of the prompts. What a prompt gets does not depend on the others. */
  async generate(prompts: readonly Prompt[], options: SampleOptions = {}): Promise<Completion[][]> {
    const { numGenerations = 1, maxNewTokens = 256, tokensPerBatch: budget = defaultTokensPerBatch } = options
    for (const [index, prompt] of prompts.entries()) this.checkLength(prompt, index)
    const streams = streamKeys(prompts, options.keys)
    const items = prompts.map((prompt, index) => ({ prompt, index, stream: streams[index] ?? '' }))
    const planWithin = (budget: number) =>
      planBatches(items, { prompt: (item) => item.prompt, rows: () => numGenerations * maxNewTokens, budget })
    const plan = planWithin(budget)
    const { keepPromptsWithin = 0 } = options
    const keepPrompts = keepPromptsWithin > 0 && plan.length === 1 && planWithin(keepPromptsWithin).length === 1
    const results: Completion[][] = prompts.map(() => [])
    for (const batch of plan) {
      const seeds = batch.flatMap(({ stream }) => sequenceSeeds(options.seed ?? 0, stream, numGenerations))
      const generated = await this.generateBatch(
        batch.map((item) => item.prompt),
        seeds,
        { ...options, keepPrompts },
      )
      batch.forEach(({ index }, p) => {
        const rows = Array.from({ length: numGenerations }, (_, g) => p * numGenerations + g)
        results[index] = rows.map((row) => this.readCompletion(generated, row))
      })
    }
    return results
  }

  /** Log-probability of each token of a completion, [T]. */
  async score(prompt: Prompt, completionIds: Int32Array, options: ScoreOptions = {}): Promise<Float32Array> {
    const [stats] = await this.scoreAll([{ prompt, completionIds }], options)
    return stats?.logps ?? new Float32Array(0)
  }

  /** Log-probability, entropy and hit of each token of each sequence, in order. */
  scoreAll(sequences: readonly Sequence[], options: ScoreOptions = {}): Promise<TokenStats[]> {
    return scoreWith(this.weights, sequences, options)
  }

  /**
   * Starts a pass over packed sequences: the log-probabilities of their targets, then `backward` adds the gradients of a loss to
   * the model's. Dispose of it. Defaults: `grad` true, `adapter` true, `temperature` 1.
   */
  forward({ batch, targets }: PackedSequences, options: Partial<ForwardOptions> = {}): Promise<NativeForward> {
    const { model, features } = this.weights
    const settings = { grad: true, adapter: true, temperature: 1, ...options }
    return features.run(batch, (ready) => model.forward(ready, targets, settings))
  }

  /** AdamW over what trains. Throws an InputError when the model was loaded without gradient memory. */
  async createOptimizer(options: OptimizerOptions): Promise<NativeOptimizer> {
    if (!this.load.trainable) throw new InputError('[train] expected a model loaded with trainable: true, got false')
    return this.engine.Optimizer.create(this.native, options)
  }

  /**
   * The policy as it was loaded. With LoRA it is the same base without adapters, or, from an adapter's folder, with those as they
   * were (TRL's "ref" adapter); else a frozen copy.
   */
  async reference(): Promise<Reference> {
    const { lora, adapterDir } = this.load
    if (lora && adapterDir !== undefined) await loadReferenceAdapter(this.native, adapterDir)
    if (lora) return onSameBase((sequences, options) => this.scoreAll(sequences, { ...options, adapter: false }))
    return frozenCopy(this.engine, this.dir, { ...this.load, trainable: false })
  }

  /**
   * Writes a whole Hugging Face folder; with LoRA the adapters are merged into the weights, unless `what` is 'adapter',
   * which writes them alone in PEFT's layout. Atomic: the folder is complete or as it was.
   */
  async save(dir: string, what: 'model' | 'adapter' = 'model'): Promise<void> {
    const obsolete = what === 'model' ? adapterFiles : []
    await writeFolder(dir, (temporary) => this.writeInto(temporary, what), { existing: 'merge', obsolete })
  }

  /** The same into a folder that exists, not atomic: for callers who write more beside it. */
  async writeInto(dir: string, what: 'model' | 'adapter'): Promise<void> {
    if (what === 'adapter' && !this.lora)
      throw new InputError('[save] this model has no adapter: expected what = "model"')
    copyModelFiles(this.dir, dir, what)
    if (what === 'model') publishConfig(dir, this.load.dtype)
    if (what === 'adapter' && this.lora) writeAdapter(dir, { ...this.lora, baseDir: this.dir })
    await this.native.save(dir, what === 'adapter' ? 'adapter' : this.lora ? 'merged' : 'model')
  }

  /** Replaces the weights by those of a folder that `writeInto` wrote; where that fails, by those that were loaded first. */
  async restore(dir: string): Promise<void> {
    if (!this.lora) checkModelFolder(dir)
    else if (!readAdapter(dir))
      throw new InputError(`[resume] expected an adapter in ${dir}, as the model has lora, got none`)
    // First, or both would be in memory.
    this.native.dispose()
    try {
      this.weights = this.lora
        ? await loadWeights(this.engine, this.dir, { ...this.load, adapterDir: dir })
        : await loadWeights(this.engine, dir, this.load)
    } catch (error) {
      this.weights = await loadWeights(this.engine, this.dir, this.load)
      throw error
    }
  }

  /** What the engine holds, in bytes by part: this policy, its reference and optimizer, and whatever else is loaded. */
  memory(): Promise<MemoryInUse> {
    return this.engine.memory()
  }

  /** Frees the engine's memory; using the policy afterwards throws. */
  dispose(): void {
    this.native.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose()
  }

  private async generateBatch(
    prompts: readonly Prompt[],
    seeds: readonly bigint[],
    options: SampleOptions & { readonly keepPrompts: boolean },
  ): Promise<Generated> {
    const { batch, leaves, nextPositions } = packPrompts(prompts)
    const settings: GenerateOptions = {
      leaves,
      nextPositions,
      numGenerations: options.numGenerations ?? 1,
      maxNewTokens: options.maxNewTokens ?? 256,
      temperature: options.temperature ?? 1,
      topK: options.topK ?? 0,
      topP: options.topP ?? 1,
      minP: options.minP ?? 0,
      repetitionPenalty: options.repetitionPenalty ?? 1,
      eosIds: this.processor.eosIds,
      seeds: BigUint64Array.from(seeds),
      keepPrompts: options.keepPrompts,
    }
    const { model, features } = this.weights
    const run = (abort: Int32Array) => features.run(batch, (ready) => model.generate(ready, { ...settings, abort }))
    return withAbort(options.signal, run)
  }

  private readCompletion({ ids, offsets, logps, stopped }: Generated, row: number): Completion {
    const [begin, end] = [offsets[row] ?? 0, offsets[row + 1] ?? 0]
    const own = ids.slice(begin, end)
    return {
      text: this.processor.decode(own, { skipSpecialTokens: true }),
      ids: own,
      logps: logps.slice(begin, end),
      finishReason: stopped[row] === 1 ? 'stop' : 'length',
    }
  }

  private checkLength(prompt: Prompt, index: number): void {
    const { maxPositions } = this.processor
    if (prompt.ids.length < maxPositions) return
    throw new InputError(
      `[generate] prompt ${index} has ${prompt.ids.length} tokens, the model takes ${maxPositions}; use fewer or smaller frames`,
    )
  }
}

/** Runs a call that stops when `abort[0]` becomes 1, and turns its rejection into an AbortedError. */
async function withAbort<T>(signal: AbortSignal | undefined, call: (abort: Int32Array) => Promise<T>): Promise<T> {
  if (signal?.aborted) throw new AbortedError(undefined, signal.reason)
  const abort = new Int32Array(new SharedArrayBuffer(4))
  const onAbort = () => abort.fill(1)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await call(abort)
  } catch (error) {
    throw isAbort(error) ? new AbortedError(undefined, error) : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
