/** Softens the cut at the longest completion: the last tokens before it cost more and more. */
import { checkInteger } from '../option-checks.js'
import { named, type RewardFunc } from './reward.js'

export interface OverlongOptions {
  /** L_max: the tokens that a completion may have, `maxCompletionLength` of the run. */
  readonly maxCompletionLength: number
  /** L_cache: how many tokens before that the penalty begins. 0: only what is longer costs. */
  readonly cache: number
}

/**
 * DAPO's soft overlong punishment (arXiv 2503.14476, equation 13; TRL's `get_soft_overlong_punishment`): 0 up to
 * L_max - L_cache tokens, from there in a straight line to -1 at L_max, -1 above. Text without an end costs -1 with it.
 */
export function overlongShaping({ maxCompletionLength, cache }: OverlongOptions): RewardFunc {
  checkInteger('[overlongShaping] maxCompletionLength', maxCompletionLength, 1)
  checkInteger('[overlongShaping] cache', cache, 0, maxCompletionLength)
  const free = maxCompletionLength - cache
  return named('overlong', ({ ids }) => (ids.length <= free ? 0 : Math.max(-1, (free - ids.length) / cache)))
}
