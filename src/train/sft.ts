/** Supervised fine-tuning on completions: the mean negative log-likelihood of the completions' tokens, end token included. */

import type { Dataset } from '../data/dataset.js'
import { InputError } from '../errors.js'
import type { BackwardResult } from '../native.js'
import type { PolicyProcessor } from '../policy.js'
import type { Algorithm, Objective, RunContext, Sample, Unit } from './algorithm.js'
import type { Meter } from './meter.js'

export interface SFTSample extends Sample {
  /** 1 / completion tokens of the optimizer step. */
  readonly weight: number
}

/** One optimizer step per batch of examples. */
export const sft: Algorithm<SFTSample> = {
  name: 'sft',
  temperature: 1,

  async prepare(indices: readonly number[], { dataset, policy, encode }: RunContext) {
    const rows = await Promise.all(
      indices.map(async (index) => {
        return { index, prompt: await encode(index), completionIds: encodeCompletion(dataset, index, policy.processor) }
      }),
    )
    const targets = rows.reduce((sum, { completionIds }) => sum + completionIds.length, 0)
    const units: Unit<SFTSample>[] = rows.map(({ index, prompt, completionIds }) => {
      return { index, prompt, samples: [{ completionIds, weight: 1 / targets }] }
    })
    return { updates: [units], tokens: rows.reduce((sum, { prompt }) => sum + prompt.ids.length, targets) }
  },

  loss(samples: readonly SFTSample[]): Objective {
    const weights = samples.flatMap(({ completionIds, weight }) => Array.from(completionIds, () => weight))
    return { backward: { loss: 'sft', weights: Float32Array.from(weights) }, measure }
  },
}

function measure({ entropy, correct }: BackwardResult, meter: Meter): void {
  meter.each('entropy', entropy)
  meter.each('mean_token_accuracy', correct)
}

/** The tokens of a row's completion, with the end token that the model is to stop with. */
export function encodeCompletion(dataset: Dataset, index: number, processor: PolicyProcessor): Int32Array {
  const { completion, id } = dataset.get(index)
  if (completion === undefined) {
    const where = dataset.where?.(index) ?? `example ${id ?? index}`
    throw new InputError(`${where}: completion: expected the answer to learn, got nothing`, { code: 'ERR_VSGRPO_DATA' })
  }
  const [endId] = processor.eosIds
  return Int32Array.from([...processor.encode(completion), ...(endId === undefined ? [] : [endId])])
}
