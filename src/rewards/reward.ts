/** What a reward is: a function from one sampled answer to a number. Pure where it can be; may be async. */
import type { Example, Prompt } from '../types.js'

export interface RewardInput {
  /** The completion without special tokens. */
  readonly text: string
  /** [T] the completion's tokens, with the end token when the model stopped by itself. */
  readonly ids: Int32Array
  readonly finishReason: 'stop' | 'length'
  /** The dataset's row with all its columns. */
  readonly example: Example
  /** What the model was given. */
  readonly prompt?: Prompt
  /** Fires when the run is interrupted or another reward failed. */
  readonly signal?: AbortSignal
}

/** One number per completion; null = does not apply to this example. Its metrics are named after the function. */
export type RewardFunc = (input: RewardInput) => number | null | Promise<number | null>

/** Gives a reward the name under which it is logged: `rewards/<name>/mean`. */
export function named(name: string, reward: RewardFunc): RewardFunc {
  const wrapper: RewardFunc = (input) => reward(input)
  Object.defineProperty(wrapper, 'name', { value: name })
  return wrapper
}

/** The names of a list of rewards: the function's own, `reward1` … for nameless ones, with a number where two are equal. */
export function rewardNames(rewards: readonly RewardFunc[]): string[] {
  const seen = new Map<string, number>()
  return rewards.map((reward, index) => {
    const name = reward.name || `reward${index + 1}`
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? name : `${name}${count}`
  })
}
