/** Penalises length within a group: of two right answers, the shorter one earns more. */
import { accuracyReward } from './accuracy.js'
import { batched, type RewardFunc, type RewardInput } from './reward.js'

export interface LengthPenaltyOptions {
  /** Gives 1 for right completions; where it gives null, so does the penalty. Default `accuracyReward()`. */
  readonly correct?: RewardFunc
}

/**
 * Kimi k1.5's length reward (arXiv 2501.12599, section 2.3.3): 0.5 - (length - shortest) / (longest - shortest) over the
 * tokens of a group's completions, and for wrong ones not above 0, so that being short and wrong never pays. From -0.5 to
 * 0.5; 0 for all where all are of one length.
 */
export function lengthPenalty({ correct = accuracyReward() }: LengthPenaltyOptions = {}): RewardFunc {
  return batched('length', async (inputs, signal) => {
    const right = correct.batch
      ? await correct.batch(inputs, signal)
      : await Promise.all(inputs.map((input) => correct(input)))
    const ranges = lengthRanges(inputs)
    return inputs.map((input, i) => {
      const { shortest = 0, longest = 0 } = ranges.get(groupOf(input)) ?? {}
      const isRight = right[i] ?? null
      if (isRight === null) return null
      if (longest === shortest) return 0
      const credit = 0.5 - (input.ids.length - shortest) / (longest - shortest)
      return isRight === 1 ? credit : Math.min(0, credit)
    })
  })
}

interface Range {
  readonly shortest: number
  readonly longest: number
}

function lengthRanges(inputs: readonly RewardInput[]): ReadonlyMap<unknown, Range> {
  const ranges = new Map<unknown, Range>()
  for (const input of inputs) {
    const length = input.ids.length
    const { shortest, longest } = ranges.get(groupOf(input)) ?? { shortest: length, longest: length }
    ranges.set(groupOf(input), { shortest: Math.min(shortest, length), longest: Math.max(longest, length) })
  }
  return ranges
}

/** Completions of one group were sampled from one prompt. */
function groupOf({ prompt, example }: RewardInput): unknown {
  return prompt ?? example
}
