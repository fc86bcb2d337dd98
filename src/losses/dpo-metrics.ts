/** TRL's metrics of a DPO loss from log-probabilities alone. */
import { type DpoInputs, readPairs } from './dpo.js'
import type { DpoOptions } from './dpo-options.js'
import { logRatio } from './dpo-terms.js'

/** One value per pair under TRL's names: rewards (beta times log ratio), and the answers' log-probabilities. */
export function measurePairs(inputs: DpoInputs, options: DpoOptions): Readonly<Record<string, readonly number[]>> {
  const pairs = readPairs(inputs, options)
  const chosen = pairs.map((pair) => options.beta * logRatio(pair, 'chosen'))
  const rejected = pairs.map((pair) => options.beta * logRatio(pair, 'rejected'))
  const margins = chosen.map((reward, i) => reward - (rejected[i] ?? 0))
  return {
    'rewards/chosen': chosen,
    'rewards/rejected': rejected,
    'rewards/accuracies': margins.map((difference) => Number(difference > 0)),
    'rewards/margins': margins,
    'logps/chosen': pairs.map(({ logps }) => logps.chosen),
    'logps/rejected': pairs.map(({ logps }) => logps.rejected),
  }
}
