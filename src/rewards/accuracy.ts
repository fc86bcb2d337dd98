/** Right or wrong: 1 when the completion gives the example's answer, 0 when not. */
import { answerNumber, answerText, normalizeAnswer } from './answer.js'
import { named, type RewardFunc } from './reward.js'

export interface AccuracyOptions {
  /** The example's column with the right answer. Default 'answer'. */
  readonly field?: string
  /** Largest difference of two numbers that count as equal, as a part of the right one. Default 1e-9. */
  readonly tolerance?: number
}

/**
 * Compares the completion's `<answer>` body (or its whole text) with the example's answer: as text without case, outer
 * spaces and final full stop, or as numbers. Null for an example without an answer.
 */
export function accuracyReward(options: AccuracyOptions = {}): RewardFunc {
  const { field = 'answer', tolerance = 1e-9 } = options
  return named('accuracy', ({ text, example }) => {
    const right = example[field]
    if (typeof right !== 'string' && typeof right !== 'number') return null
    const given = answerText(text)
    return given !== undefined && isEqual(given, String(right), tolerance) ? 1 : 0
  })
}

function isEqual(given: string, right: string, tolerance: number): boolean {
  const cleaned = normalizeAnswer(given)
  if (cleaned === '') return false
  if (cleaned === normalizeAnswer(right)) return true
  const [a, b] = [answerNumber(given), answerNumber(right)]
  return a !== undefined && b !== undefined && Math.abs(a - b) <= tolerance * Math.abs(b)
}
