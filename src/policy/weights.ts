/** What policies and references do with the engine's model: load it, and score sequences with it. */
import { packSequences, planBatches, type Sequence } from '../batch.js'
import { AbortedError, fromNative } from '../errors.js'
import type { Addon, LoadOptions, NativeModel, TokenStats } from '../native.js'

/** The part of the addon that a policy needs. */
export type Engine = Pick<Addon, 'Model' | 'Optimizer' | 'memory'>

export const defaultTokensPerBatch = 32_768

export interface ScoreOptions {
  /** false scores with the adapters switched off. Default true. */
  readonly adapter?: boolean
  /** Logits are divided by it. Default 1. */
  readonly temperature?: number
  /** Packed rows in memory at a time. Default 32768. */
  readonly tokensPerBatch?: number
  /** Whether the statistics have `logitMean`. Default false. */
  readonly logitMean?: boolean
  /** As `gradientCheckpointing` in training: memory before speed. Default false. */
  readonly checkpoint?: boolean
  readonly signal?: AbortSignal
}

/** Loads weights; an InputError names the file and the tensor that is not as config.json says. */
export async function loadWeights(engine: Engine, dir: string, options: LoadOptions): Promise<NativeModel> {
  try {
    return await engine.Model.load(dir, options)
  } catch (error) {
    throw fromNative(error)
  }
}

/** Log-probability, entropy and hit of each token of each sequence, in order. */
export async function scoreWith(
  model: NativeModel,
  sequences: readonly Sequence[],
  options: ScoreOptions,
): Promise<TokenStats[]> {
  const { adapter = true, temperature = 1, tokensPerBatch: budget = defaultTokensPerBatch } = options
  const { logitMean = false, checkpoint = false } = options
  const items = sequences.map((sequence, index) => ({ sequence, index }))
  const plan = planBatches(items, {
    prompt: ({ sequence }) => sequence.prompt,
    rows: ({ sequence }) => sequence.completionIds.length,
    budget,
  })
  const pass = { grad: false, adapter, temperature, logitMean, checkpoint }
  const results: TokenStats[] = []
  for (const part of plan) {
    if (options.signal?.aborted) throw new AbortedError(undefined, options.signal.reason)
    const packed = packSequences(part.map(({ sequence }) => sequence))
    const forward = await model.forward(packed.batch, packed.targets, pass)
    try {
      const stats = await forward.logps()
      part.forEach(({ index }, i) => {
        results[index] = sliceStats(stats, packed.offsets[i] ?? 0, packed.offsets[i + 1] ?? 0)
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
