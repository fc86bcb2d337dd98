/** How a run scores sequences without learning from them. */
import type { ScoreOptions } from '../policy.js'
import type { TrainingValues } from './config.js'

type Values = Pick<TrainingValues, 'tokensPerMicroBatch' | 'gradientCheckpointing'> & { readonly temperature?: number }

/** At the run's temperature, within its micro-batches' memory, and sparing that where training does. */
export function scoringOf(values: Values, signal?: AbortSignal): ScoreOptions {
  const { temperature, tokensPerMicroBatch: tokensPerBatch, gradientCheckpointing } = values
  return { temperature, tokensPerBatch, gradientCheckpointing, signal }
}
