/** Right or wrong: 1 when the completion gives the example's answer, 0 when not. */
import { answerNumber, answerText, normalizeAnswer } from './answer.js'
import { namesOption, readOptions } from './option.js'
import { named, type RewardFunc } from './reward.js'

export interface AccuracyOptions {
  /** The example's column with the right answer. Default 'answer'. */
  readonly field?: string
  /** Largest difference of two numbers that count as equal, as a part of the right one. Default 1e-9. */
  readonly tolerance?: number
}

/**
 * Compares the completion's `<answer>` body (or its whole text) with the example's answer: as text without case, outer
 * spaces and final full stop, as numbers ("4 chairs" is 4), or as an option where the example has a column `options` and a
 * letter as its answer: "A", "A.", "(A)", "A. chair". Strict: an answer that lists several, or says more, is wrong.
 * Null for an example without an answer.
 */
export function accuracyReward(options: AccuracyOptions = {}): RewardFunc {
  const { field = 'answer', tolerance = 1e-9 } = options
  return named('accuracy', ({ text, example }) => {
    const column = example[field]
    if (typeof column !== 'string' && typeof column !== 'number') return null
    const right = String(column)
    const given = answerText(text)
    if (given === undefined) return 0
    const isSame = (a: string, b: string) => isEqual(a, b, tolerance)
    return isSame(given, right) || namesOption(given, right, readOptions(example.options), isSame) ? 1 : 0
  })
}

function isEqual(given: string, right: string, tolerance: number): boolean {
  const cleaned = normalizeAnswer(given)
  if (cleaned === '') return false
  if (cleaned === normalizeAnswer(right)) return true
  const [a, b] = [answerNumber(given), answerNumber(right)]
  return a !== undefined && b !== undefined && Math.abs(a - b) <= tolerance * Math.abs(b)
}
