/** Partial credit for numbers: VSI-Bench's mean relative accuracy. */
import { answerNumber, answerText } from './answer.js'
import { named, type RewardFunc } from './reward.js'

/** numpy.linspace(0.5, 0.95, 10), to the last bit: ties with whole numbers are common. */
const thresholds = Array.from({ length: 10 }, (_, i) => (i === 9 ? 0.95 : i * ((0.95 - 0.5) / 9) + 0.5))

/**
 * Share of the thresholds 0.5, 0.55 … 0.95 whose complement the relative error does not exceed (Thinking in Space, arXiv
 * 2412.14171; with <= as in its code). 0 for predictions that are not numbers.
 */
export function meanRelativeAccuracy(predicted: number, right: number): number {
  const error = Math.abs(predicted - right) / right
  return thresholds.filter((threshold) => error <= 1 - threshold).length / thresholds.length
}

/** Mean relative accuracy of the completion's number; null for examples whose answer is not a number. */
export function relativeAccuracyReward(options: { readonly field?: string } = {}): RewardFunc {
  const { field = 'answer' } = options
  return named('relativeAccuracy', ({ text, example }) => {
    const column = example[field]
    const right = typeof column === 'number' ? column : typeof column === 'string' ? answerNumber(column) : undefined
    if (right === undefined) return null
    const given = answerNumber(answerText(text) ?? '')
    return given === undefined ? 0 : meanRelativeAccuracy(given, right)
  })
}
