/** Supervised fine-tuning: the mean negative log-likelihood of given answers, end token included. TRL 1.13's `SFTTrainer`. */
import type { Dataset } from '../data/dataset.js'
import { chunks } from '../data/loader.js'
import type { LossOutput } from '../losses/loss.js'
import { dftLoss, sftLoss } from '../losses/sft.js'
import type { BackwardResult, TokenStats } from '../native.js'
import type { PolicyProcessor } from '../policy.js'
import type { Metrics, Prompt } from '../types.js'
import type { Algorithm, Objective, RunContext, Sample, Unit } from './algorithm.js'
import { cutAnswer, encodeAnswer, placeOf, readRows } from './answers.js'
import { Meter } from './meter.js'
import type { SFTValues } from './sft-config.js'

export interface SFTSample extends Sample {
  /** Tokens that are learned. */
  readonly targets: number
  /** 1 / targets of the optimizer step. */
  readonly weight: number
}

/** One optimizer step per batch of examples. */
export function sft(config: SFTValues): Algorithm<SFTSample> {
  return {
    name: 'sft',
    temperature: 1,

    async prepare(indices: readonly number[], run: RunContext) {
      const { rows, warnings } = await readAnswers(indices, run, config)
      const targets = rows.reduce((sum, row) => sum + row.targets, 0)
      const units: Unit<SFTSample>[] = rows.map(({ index, prompt, ...sample }) => {
        return { index, prompt, samples: [{ ...sample, weight: 1 / targets }] }
      })
      const tokens = rows.reduce((sum, { prompt, completionIds }) => sum + prompt.ids.length + completionIds.length, 0)
      return { updates: [units], tokens, warnings }
    },

    loss(samples: readonly SFTSample[]): Objective {
      const weights = Float32Array.from(samples.flatMap(({ targets, weight }) => Array<number>(targets).fill(weight)))
      if (config.lossType !== 'dft') return { backward: { loss: 'sft', weights }, measure }
      return {
        backward({ logps }: TokenStats) {
          const { loss: value, dlogps } = dftLoss({ logps, weights })
          return { value, gradients: { loss: 'external', dlogps } }
        },
        measure,
      }
    },
  }
}

function measure({ entropy, correct }: Omit<BackwardResult, 'loss'>, meter: Meter): void {
  meter.each('entropy', entropy)
  meter.each('mean_token_accuracy', correct)
}

/** What reading rows takes of a run. */
export type Reading = Pick<RunContext, 'dataset' | 'policy' | 'encode' | 'signal'> & Partial<Pick<RunContext, 'meter'>>

/** Token means over a dataset's answers: `eval_loss`, `eval_mean_token_accuracy`, `eval_entropy`. */
export async function evaluateAnswers(context: Reading, config: SFTValues): Promise<Metrics> {
  const meter = new Meter()
  for (const indices of chunks([...Array(context.dataset.length).keys()], config.perDeviceEvalBatchSize)) {
    const { rows } = await readAnswers(indices, { ...context, meter }, config)
    const scoring = { tokensPerBatch: config.tokensPerMicroBatch, signal: context.signal }
    for (const stats of await context.policy.scoreAll(rows, scoring)) {
      const one = { logps: stats.logps, weights: new Float32Array(stats.logps.length).fill(1 / stats.logps.length) }
      const { loss }: LossOutput = config.lossType === 'dft' ? dftLoss(one) : sftLoss(one)
      meter.mean('loss', loss, stats.logps.length)
      measure(stats, meter)
    }
  }
  return Object.fromEntries(Object.entries(meter.take()).map(([name, value]) => [`eval_${name}`, value]))
}

/** The usable rows among the indices as tokens. */
export function readAnswers(
  indices: readonly number[],
  { dataset, policy, encode, meter }: Reading,
  config: SFTValues,
) {
  const { processor } = policy
  const { onUnusableRow, maxLength, completionEnd } = config
  const read = async (index: number) => {
    const place = placeOf(dataset, index)
    const whole = encodeCompletion(dataset, index, processor, completionEnd)
    const prompt = await encode(index)
    const completionIds = cutAnswer(whole, prompt, { place, maxLength, maxPositions: processor.maxPositions })
    return { index, prompt, completionIds, ...targetsOf(prompt, completionIds, config) }
  }
  return readRows(indices, read, { onUnusableRow, meter })
}

/** All tokens but the first have one before them to be predicted from. */
function targetsOf(prompt: Prompt, completionIds: Int32Array, { completionOnlyLoss }: SFTValues) {
  if (completionOnlyLoss) return { targets: completionIds.length }
  return { targets: prompt.ids.length - 1 + completionIds.length, learnsPrompt: true }
}

/** The tokens of a row's completion, with the end that the model is to stop with. */
export function encodeCompletion(
  dataset: Dataset,
  index: number,
  processor: PolicyProcessor,
  end?: SFTValues['completionEnd'],
): Int32Array {
  return encodeAnswer(dataset.get(index).completion, processor, {
    place: placeOf(dataset, index),
    field: 'completion',
    end,
  })
}
