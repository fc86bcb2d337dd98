/** Units as the engine reads them: one sequence per sample, and how many tokens they have. */
import type { Sequence } from '../batch.js'
import type { Sample, Unit } from './algorithm.js'

/** The samples of all units in order, each with its prompt. */
export function sequencesOf<S extends Sample>(units: readonly Unit<S>[]): Sequence[] {
  return units.flatMap(({ prompt, samples }) =>
    samples.map(({ completionIds, learnsPrompt }) => ({ prompt, completionIds, learnsPrompt })),
  )
}

/** Prompt and completion tokens, each completion counted with its prompt. */
export function countTokens(sequences: readonly Sequence[]): number {
  return sequences.reduce((sum, { prompt, completionIds }) => sum + prompt.ids.length + completionIds.length, 0)
}
