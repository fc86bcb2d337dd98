/** Supervised fine-tuning: the mean negative log-likelihood of given answers, end token included. TRL 1.13's `SFTTrainer`. */
import { type Dataset, placeOf } from '../../data/dataset.js'
import { rowBatches } from '../../data/loader.js'
import type { LossOutput } from '../../losses/loss.js'
import { dftLoss, sftLoss } from '../../losses/sft.js'
import type { BackwardResult, TokenStats } from '../../native.js'
import type { PolicyProcessor } from '../../policy.js'
import type { Message, Metrics, Prompt } from '../../types.js'
import type { Algorithm, Objective, RunContext, Sample, Unit } from '../algorithm.js'
import { cutAnswer, encodeAnswer } from '../answers.js'
import { Meter } from '../meter.js'
import { scoringOf } from '../scoring.js'
import { countTokens } from '../units.js'
import { readRows, unusable } from '../unusable-rows.js'
import { assistantTurns, countTurns } from './assistant-turns.js'
import { learnsPrompt, type SFTValues } from './config.js'

export interface SFTSample extends Sample {
  /** [targets] 1 / tokens that the optimizer step learns; 0 for a token that is not learned. */
  readonly weights: Float32Array
}

/** A row as tokens. */
interface AnswerRow extends Sample {
  readonly index: number
  readonly prompt: Prompt
  /** [targets] 1 for the tokens that are learned. */
  readonly mask: Float32Array
}

/** One optimizer step per batch of examples. */
export function sft(config: SFTValues): Algorithm<SFTSample> {
  return {
    name: 'sft',
    temperature: 1,

    async prepare(indices: readonly number[], run: RunContext) {
      const { rows, warnings } = await readAnswers(indices, run, config)
      const learned = rows.reduce((sum, { mask }) => sum + countLearned(mask), 0)
      const units: Unit<SFTSample>[] = rows.map(({ index, prompt, mask, ...sample }) => {
        return { index, prompt, samples: [{ ...sample, weights: mask.map((value) => value / learned) }] }
      })
      return { updates: [units], tokens: countTokens(rows), warnings }
    },

    loss(samples: readonly SFTSample[]): Objective {
      const weights = Float32Array.from(samples.flatMap((sample) => [...sample.weights]))
      const measure = (result: BackwardResult, meter: Meter) => measureTokens(result, weights, meter)
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

/** Means over the tokens whose weight is not 0. */
function measureTokens({ entropy, correct }: TokenStats, weights: Float32Array, meter: Meter): void {
  const isLearned = (_: number, k: number) => weights[k] !== 0
  meter.each('entropy', entropy.filter(isLearned))
  meter.each('mean_token_accuracy', correct.filter(isLearned))
}

function countLearned(mask: Float32Array): number {
  return mask.reduce((sum, value) => sum + value, 0)
}

/** What reading rows takes of a run. */
export type Reading = Pick<RunContext, 'dataset' | 'policy' | 'encode' | 'signal'> & Partial<Pick<RunContext, 'meter'>>

/** Token means over a dataset's answers: `eval_loss`, `eval_mean_token_accuracy`, `eval_entropy`. */
export async function evaluateAnswers(context: Reading, config: SFTValues): Promise<Metrics> {
  const meter = new Meter()
  for (const indices of rowBatches(context.dataset, config.perDeviceEvalBatchSize)) {
    const { rows } = await readAnswers(indices, { ...context, meter }, config)
    for (const [i, stats] of (await context.policy.scoreAll(rows, scoringOf(config, context.signal))).entries()) {
      const mask = rows[i]?.mask ?? new Float32Array()
      const learned = countLearned(mask)
      const one = { logps: stats.logps, weights: mask.map((value) => value / learned) }
      const { loss }: LossOutput = config.lossType === 'dft' ? dftLoss(one) : sftLoss(one)
      meter.mean('loss', loss, learned)
      measureTokens(stats, mask, meter)
    }
  }
  return meter.take('eval_')
}

/** The usable rows among the indices as tokens. */
export function readAnswers(
  indices: readonly number[],
  { dataset, policy, encode, meter }: Reading,
  config: SFTValues,
) {
  const { processor } = policy
  const { onUnusableRow, maxLength, completionEnd } = config
  const read = async (index: number): Promise<AnswerRow> => {
    const place = placeOf(dataset, index)
    const whole = encodeCompletion(dataset, index, processor, completionEnd)
    const prompt = await encode(index)
    const completionIds = cutAnswer(whole, prompt, { place, maxLength, maxPositions: processor.maxPositions })
    const learned = learnedPrompt(prompt, dataset.get(index).messages, { place, processor, config })
    const own = new Float32Array(completionIds.length).fill(1)
    if (!learned) return { index, prompt, completionIds, mask: own }
    return {
      index,
      prompt,
      completionIds,
      learnsPrompt: true,
      mask: Float32Array.from([...learned.subarray(1), ...own]),
    }
  }
  return readRows(indices, read, { onUnusableRow, meter })
}

/** [T] 1 for the tokens of a prompt that are learned; undefined for none. The first has none before it to be predicted from. */
function learnedPrompt(
  { ids }: Prompt,
  messages: readonly Message[],
  { place, processor, config }: { place: string; processor: PolicyProcessor; config: SFTValues },
): Float32Array | undefined {
  const wanted = countTurns(messages)
  if (!learnsPrompt(config, wanted)) return undefined
  if (!config.assistantOnlyLoss) return new Float32Array(ids.length).fill(1)
  const { mask, count } = assistantTurns(ids, processor, config.completionEnd)
  if (count === wanted) return mask
  throw unusable(
    `${place}: assistantOnlyLoss: expected ${wanted} turns of the assistant in the prompt's tokens, found ${count}; it needs Qwen2-VL's chat template`,
  )
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
