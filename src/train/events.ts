/**
 * What a run says about itself while it works. Trainers yield these events, reporters and callbacks receive them in the
 * same order; every event is plain data that may be written as JSON.
 */
import type { Metrics } from '../types.js'

/** One sampled answer with what it earned: a row of `completions.jsonl`. */
export interface CompletionRow {
  readonly step: number
  /** The example's `id`, or its index in the dataset. */
  readonly exampleId: string | number
  /** Text of the last user message. */
  readonly question: string
  readonly answer?: string | number
  readonly completion: string
  /** Each reward by name; null = not applicable to this example. */
  readonly rewards: Readonly<Record<string, number | null>>
  /** Weighted sum; null when no reward applied. */
  readonly reward: number | null
  readonly advantage: number
  /** Paths of the images or frames of the prompt. */
  readonly media?: readonly string[]
}

/** Before the first step. `config` is the resolved configuration, as `config.json` holds it. */
export interface StartEvent {
  readonly type: 'start'
  readonly config: Readonly<Record<string, unknown>>
  readonly totalSteps: number
  /** 0, or the step of the checkpoint that the run goes on from. */
  readonly step: number
}

/** After every `loggingSteps` optimizer steps, and the last. `metrics`, under TRL's names, are those of all steps since the one before. */
export interface StepEvent {
  readonly type: 'step'
  readonly step: number
  readonly epoch: number
  readonly metrics: Metrics
  /** Tokens of prompts and completions that this last step trained on, per second of the step. */
  readonly tokensPerSecond: number
  readonly secondsLeft: number
}

export interface CompletionsEvent {
  readonly type: 'completions'
  readonly step: number
  readonly rows: readonly CompletionRow[]
}

/** After an evaluation; every metric's name begins with `eval_`. */
export interface EvalEvent {
  readonly type: 'eval'
  readonly step: number
  readonly metrics: Metrics
}

/** A checkpoint is whole on disk. */
export interface CheckpointEvent {
  readonly type: 'checkpoint'
  readonly step: number
  readonly dir: string
}

export interface WarningEvent {
  readonly type: 'warning'
  readonly message: string
}

/** The last event. `aborted`: by the signal, after a checkpoint; `stopped`: a callback or the consumer asked for it. */
export interface EndEvent {
  readonly type: 'end'
  readonly step: number
  readonly reason: 'finished' | 'aborted' | 'stopped'
}

export type TrainEvent =
  | StartEvent
  | StepEvent
  | CompletionsEvent
  | EvalEvent
  | CheckpointEvent
  | WarningEvent
  | EndEvent
