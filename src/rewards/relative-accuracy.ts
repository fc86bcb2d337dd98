/** Partial credit for numbers: VSI-Bench's mean relative accuracy, and the paper's ratio to the smaller number. */
import { InputError } from '../errors.js'
import { answerNumber, answerText } from './answer.js'
import { named, type RewardFunc } from './reward.js'

export interface RelativeAccuracyOptions {
  /** The example's column with the right number. Default 'answer'. */
  readonly field?: string
  /** `mra` (default): `meanRelativeAccuracy`; `ratio`: `ratioAccuracy`. */
  readonly measure?: 'mra' | 'ratio'
}

/** Partial credit for the completion's number, 0 to 1; null for examples whose answer is not a number. */
export function relativeAccuracyReward(options: RelativeAccuracyOptions = {}): RewardFunc {
  const { field = 'answer', measure = 'mra' } = options
  const credit = { mra: meanRelativeAccuracy, ratio: ratioAccuracy }[measure]
  if (!credit) throw new InputError(`[relativeAccuracyReward] measure: expected 'mra' or 'ratio', got ${measure}`)
  return named('relativeAccuracy', ({ text, example }) => {
    const column = example[field]
    const right = typeof column === 'number' ? column : typeof column === 'string' ? answerNumber(column) : undefined
    if (right === undefined) return null
    const given = answerNumber(answerText(text) ?? '')
    return given === undefined ? 0 : credit(given, right)
  })
}

/** numpy.linspace(0.5, 0.95, 10), to the last bit: ties with whole numbers are common. */
const thresholds = Array.from({ length: 10 }, (_, i) => (i === 9 ? 0.95 : i * ((0.95 - 0.5) / 9) + 0.5))

/**
 * Share of the thresholds 0.5, 0.55 … 0.95 whose complement the relative error does not exceed (Thinking in Space, arXiv
 * 2412.14171; with <= as in its code). Where the right number is 0, only 0 is right. 0 for predictions that are not numbers.
 */
export function meanRelativeAccuracy(predicted: number, right: number): number {
  if (predicted === right) return 1
  const error = Math.abs(predicted - right) / Math.abs(right)
  return thresholds.filter((threshold) => error <= 1 - threshold).length / thresholds.length
}

/**
 * 1 - |predicted - right| / min(predicted, right), not below 0: it falls to 0 at twice and at half the right number. The
 * paper (arXiv 2504.00883, 3.2) gives the quotient and not how it becomes a reward; this is the plain reading. Numbers of
 * different sign, and 0 for anything but 0, earn 0.
 */
export function ratioAccuracy(predicted: number, right: number): number {
  if (predicted === right) return 1
  const smaller = Math.min(Math.abs(predicted), Math.abs(right))
  const credit = 1 - Math.abs(predicted - right) / smaller
  return credit > 0 ? credit : 0
}
