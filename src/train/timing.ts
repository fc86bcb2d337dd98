/** Where a step's time goes: seconds by phase, and tokens per second where a phase has tokens. */
import type { Meter } from './meter.js'

export type Phase = 'generation' | 'rewards' | 'logps' | 'backward' | 'optimizer'

export interface Clock {
  readonly meter: Meter
  /** Milliseconds. */
  readonly now: () => number
}

/**
 * Runs a phase and notes its seconds as `profiling/<phase>`, summed over the step, and `tokens_per_second/<phase>` where
 * `countTokens` says how many tokens its result stands for.
 */
export async function timed<T>(
  clock: Clock | undefined,
  phase: Phase,
  work: () => Promise<T>,
  countTokens?: (result: T) => number,
): Promise<T> {
  if (!clock) return work()
  const begunAt = clock.now()
  const result = await work()
  const seconds = (clock.now() - begunAt) / 1000
  clock.meter.sum(`profiling/${phase}`, seconds)
  if (countTokens) clock.meter.mean(`tokens_per_second/${phase}`, countTokens(result) / seconds, seconds)
  return result
}
