/** What policies and references do with the engine's model: load it, and score sequences with it. */
import { packSequences, type Sequence } from '../batch.js'
import { AbortedError, fromNative } from '../errors.js'
import type { Addon, LoadOptions, NativeModel, TokenStats } from '../native.js'
import { planBatches } from '../plan-batches.js'
import { MediaFeatures } from './media-features.js'

/** The part of the addon that a policy needs. */
export type Engine = Pick<Addon, 'Model' | 'Optimizer' | 'memory'>

export const defaultTokensPerBatch = 32_768

export interface ScoreOptions {
  /** false scores the reference of a LoRA policy: see `Policy.reference`. Default true. */
  readonly adapter?: boolean
  /** Logits are divided by it. Default 1. */
  readonly temperature?: number
  /** Packed rows in memory at a time. Default 32768. */
  readonly tokensPerBatch?: number
  /** Whether the statistics have `logitMean`. Default false. */
  readonly logitMean?: boolean
  /** As in training: memory before speed. Default false. */
  readonly gradientCheckpointing?: boolean
  readonly signal?: AbortSignal
}

/** A model in the engine, and what it has kept of the media that its passes read. */
export interface Weights {
  readonly model: NativeModel
  readonly features: MediaFeatures
}

/** `LoadOptions` are the engine's; what this side keeps of a frozen vision tower's work is beside them. */
export interface WeightsOptions extends LoadOptions {
  /** Tokens of media whose features are kept. Default: as many as a batch may have. */
  readonly keptMediaTokens?: number
  /** Patches that become one token of media. Default 4, as in every published checkpoint. */
  readonly mergeUnit?: number
}

/** Loads weights; an InputError names the file and the tensor that is not as config.json says. */
export async function loadWeights(
  engine: Engine,
  dir: string,
  { keptMediaTokens = defaultTokensPerBatch, mergeUnit = 4, ...options }: WeightsOptions,
): Promise<Weights> {
  try {
    const model = await engine.Model.load(dir, options)
    const isFrozen = options.freezeVision || !options.trainable || options.lora !== undefined
    return { model, features: new MediaFeatures(model, isFrozen ? keptMediaTokens : 0, mergeUnit) }
  } catch (error) {
    throw fromNative(error)
  }
}

/** Log-probability, entropy and hit of each token of each sequence, in order. */
export async function scoreWith(
  { model, features }: Weights,
  sequences: readonly Sequence[],
  options: ScoreOptions,
): Promise<TokenStats[]> {
  const { adapter = true, temperature = 1, tokensPerBatch: budget = defaultTokensPerBatch } = options
  const { logitMean = false, gradientCheckpointing = false } = options
  const items = sequences.map((sequence, index) => ({ sequence, index }))
  const plan = planBatches(items, {
    prompt: ({ sequence }) => sequence.prompt,
    rows: ({ sequence }) => sequence.completionIds.length,
    budget,
  })
  const pass = { grad: false, adapter, temperature, logitMean, gradientCheckpointing }
  const results: TokenStats[] = []
  for (const part of plan) {
    if (options.signal?.aborted) throw new AbortedError(undefined, options.signal.reason)
    const { batch, targets, offsets } = packSequences(part.map(({ sequence }) => sequence))
    const forward = await features.run(batch, (ready) => model.forward(ready, targets, pass))
    try {
      const stats = await forward.logps()
      part.forEach(({ index }, i) => {
        results[index] = sliceStats(stats, offsets[i] ?? 0, offsets[i + 1] ?? 0)
      })
    } finally {
      forward.dispose()
    }
  }
  return results
}

function sliceStats({ logps, entropy, correct, logitMean }: TokenStats, begin: number, end: number): TokenStats {
  return {
    logps: logps.slice(begin, end),
    entropy: entropy.slice(begin, end),
    correct: correct.slice(begin, end),
    ...(logitMean ? { logitMean: logitMean.slice(begin, end) } : {}),
  }
}
