/** What a reward is: a function from one sampled answer to a number. Pure where it can be; may be async or batched. */
import { InputError } from '../errors.js'
import type { Example, Prompt } from '../types.js'

export interface RewardInput {
  /** The completion without special tokens. */
  readonly text: string
  /** [T] the completion's tokens, with the end token when the model stopped by itself. */
  readonly ids: Int32Array
  readonly finishReason: 'stop' | 'length'
  /** The dataset's row with all its columns. */
  readonly example: Example
  /** What the model was given: the same object for all completions of a group. */
  readonly prompt?: Prompt
  /** Fires when this call timed out, the run is interrupted or another reward failed: nobody waits for the result then. */
  readonly signal?: AbortSignal
}

/** One number per completion; null = does not apply to this example. Its metrics are named after the function. */
export interface RewardFunc {
  (input: RewardInput): number | null | Promise<number | null>
  /** Set by `batched`: scores all completions of a batch in one call. */
  readonly batch?: BatchReward
}

/** [B] completions to [B] numbers, null where the reward does not apply. */
export type BatchReward = (
  inputs: readonly RewardInput[],
  signal?: AbortSignal,
) => readonly (number | null)[] | Promise<readonly (number | null)[]>

/** Gives a reward the name under which it is logged: `rewards/<name>/mean`. */
export function named(name: string, reward: RewardFunc): RewardFunc {
  const wrapper: RewardFunc = (input) => reward(input)
  Object.defineProperty(wrapper, 'name', { value: name })
  return reward.batch ? Object.assign(wrapper, { batch: reward.batch }) : wrapper
}

/**
 * A reward that sees all completions of a batch at once, group after group: one request to a judge, or a comparison of
 * answers with each other. Called on one completion, it scores a batch of one.
 */
export function batched(name: string, batch: BatchReward): RewardFunc {
  const one = async (input: RewardInput): Promise<number | null> => {
    const [value, ...more] = await batch([input], input.signal)
    if (value !== undefined && more.length === 0) return value
    throw new InputError(
      `[reward ${name}] expected one value for one completion, got ${value === undefined ? 'none' : more.length + 1}`,
    )
  }
  return named(name, Object.assign(one, { batch }))
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
