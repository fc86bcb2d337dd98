/** Makes saying the same thing again cost: the share of repeated n-grams. */
import { InputError } from '../errors.js'
import { checkInteger } from '../option-checks.js'
import { named, type RewardFunc } from './reward.js'

export interface RepetitionOptions {
  /** Tokens in a row that are compared. Default 3. */
  readonly ngramSize?: number
  /** What a completion of nothing but repetitions comes near to; 0 or below. Default -1. */
  readonly maxPenalty?: number
}

/**
 * maxPenalty x (1 - distinct n-grams / n-grams) over the completion's tokens (arXiv 2502.03373, appendix C.2; TRL's
 * `get_repetition_penalty_reward`). 0 for a completion of fewer than n tokens.
 */
export function repetitionPenalty({ ngramSize = 3, maxPenalty = -1 }: RepetitionOptions = {}): RewardFunc {
  checkInteger('[repetitionPenalty] ngramSize', ngramSize, 1)
  if (!(Number.isFinite(maxPenalty) && maxPenalty <= 0)) {
    throw new InputError(`[repetitionPenalty] maxPenalty: expected a number of 0 or below, got ${maxPenalty}`)
  }
  return named('repetition', ({ ids }) => {
    const count = ids.length - ngramSize + 1
    if (count <= 1) return 0
    const distinct = new Set(Array.from({ length: count }, (_, i) => ids.subarray(i, i + ngramSize).join())).size
    return distinct === count ? 0 : maxPenalty * (1 - distinct / count)
  })
}
