/**
 * What an algorithm is: `prepare` turns examples into samples to learn from, `loss` says what the engine is to compute on
 * a micro-batch of them. The loop knows nothing else.
 *
 * Two rules keep micro-batches without effect on the result: every normaliser is counted over the whole optimizer step
 * before its first backward, and a loss is a sum over samples.
 */

import type { Dataset } from '../data/dataset.js'
import type { Backward, BackwardResult, TokenStats } from '../native.js'
import type { Policy } from '../policy.js'
import type { Prompt } from '../types.js'
import type { CompletionRow } from './events.js'
import type { Meter } from './meter.js'

/** One completion to learn from. */
export interface Sample {
  /** [T] */
  readonly completionIds: Int32Array
  /** The prompt's tokens but the first are learned too, and come before the completion's. Default false. */
  readonly learnsPrompt?: boolean
}

/** Samples of one prompt, which no micro-batch parts: a group, a pair, a single row. */
export interface Unit<S extends Sample> {
  /** The example's index in the dataset. */
  readonly index: number
  readonly prompt: Prompt
  readonly samples: readonly S[]
}

export interface Prepared<S extends Sample> {
  /** The units of each optimizer step that this batch of examples feeds. */
  readonly updates: readonly (readonly Unit<S>[])[]
  /** Prompt and completion tokens, each completion counted with its prompt. */
  readonly tokens: number
  /** What was sampled, for the log. */
  readonly rows?: readonly CompletionRow[]
  /** What the user should hear of it. */
  readonly warnings?: readonly string[]
}

/** What `prepare` may use. */
export interface RunContext {
  readonly policy: Policy
  readonly dataset: Dataset
  /** The prompt of a row; kept in memory within bounds. */
  readonly encode: (index: number) => Promise<Prompt>
  /** Which batch of examples this is, counted from 0 over the whole run. */
  readonly batchNumber: number
  /** The optimizer step that comes next, counted from 1. */
  readonly step: number
  readonly meter: Meter
  /** Milliseconds. */
  readonly now: () => number
  readonly signal?: AbortSignal
  /** Row indices besides those of this batch, after the first `skip` of them; always the same for the same batch. */
  further(count: number, skip: number): readonly number[]
}

/** A loss over the tokens of a micro-batch, and what to note about its outcome. */
export interface Objective {
  /** What the engine is to differentiate, or a function from the log-probabilities to that. */
  readonly backward: Backward | ((stats: TokenStats, meter: Meter) => { value: number; gradients: Backward })
  measure(result: BackwardResult, meter: Meter): void
}

export interface Algorithm<S extends Sample> {
  readonly name: string
  /** Logits are divided by it in every pass. */
  readonly temperature: number
  /** Whether `measure` reads `logitMean`. Default false. */
  readonly logitMean?: boolean
  /** Its batches name rows by other numbers than the run's dataset has: nothing is read ahead for it. Default false. */
  readonly hasOwnRows?: boolean
  prepare(indices: readonly number[], run: RunContext): Promise<Prepared<S>>
  /** Before each optimizer step: what in its samples depends on the policy as it is then. */
  readonly refresh?: (units: readonly Unit<S>[], run: RunContext) => Promise<readonly Unit<S>[]>
  /** The objective over the samples' tokens, in order. */
  loss(samples: readonly S[]): Objective
  /** After optimizer step `step`, counted from 1. */
  afterUpdate?(step: number, run: Pick<RunContext, 'policy' | 'meter'>): Promise<void>
  /** Writes into a checkpoint's folder what `restore` needs to go on from it. */
  save?(dir: string): Promise<void>
  restore?(dir: string): Promise<void>
}
