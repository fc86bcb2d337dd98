/**
 * Runs every reward on every completion of a batch, all at the same time, and adds them up with their weights.
 * A reward that throws, or gives anything but a finite number or null, stops the batch with an error that names the
 * reward and the example.
 */
import { InputError, messageOf, VsgrpoError } from '../errors.js'
import { type RewardFunc, type RewardInput, rewardNames } from './reward.js'

export interface Scores {
  /** [J] names under which the rewards are logged. */
  readonly names: readonly string[]
  /** [J][B] */
  readonly byReward: readonly (readonly (number | null)[])[]
  /** [B] weighted sums over the rewards that apply; NaN where none does. */
  readonly totals: Float64Array
}

export interface CombineOptions {
  /** One per reward. Default: all 1. */
  readonly weights?: readonly number[]
  readonly signal?: AbortSignal
}

/** Scores the completions of a batch. The rewards' own `signal` fires as soon as one of them fails. */
export async function combineRewards(
  rewards: readonly RewardFunc[],
  inputs: readonly RewardInput[],
  options: CombineOptions = {},
): Promise<Scores> {
  const weights = checkWeights(rewards, options.weights)
  const names = rewardNames(rewards)
  const control = new AbortController()
  const { signal } = control
  // Not AbortSignal.any: it keeps something behind at the run's signal for every batch.
  const forward = () => control.abort(options.signal?.reason)
  if (options.signal?.aborted) forward()
  options.signal?.addEventListener('abort', forward, { once: true })
  const score = (reward: RewardFunc, name: string) =>
    Promise.all(inputs.map((input, index) => callReward(reward, name, { ...input, signal }, index)))
  try {
    const byReward = await Promise.all(rewards.map((reward, j) => score(reward, names[j] ?? '')))
    return { names, byReward, totals: addUp(byReward, weights, inputs.length) }
  } catch (error) {
    control.abort(error)
    throw error
  } finally {
    options.signal?.removeEventListener('abort', forward)
  }
}

/** The weights of a list of rewards, checked: one finite number each. */
export function checkWeights(rewards: readonly RewardFunc[], weights?: readonly number[]): readonly number[] {
  if (rewards.length === 0) throw new InputError('[rewardFuncs] expected at least one reward function, got none')
  if (!weights) return rewards.map(() => 1)
  if (weights.length !== rewards.length) {
    throw new InputError(
      `[rewardWeights] expected one weight for each of the ${rewards.length} rewards, got ${weights.length}`,
    )
  }
  const wrong = weights.findIndex((weight) => !Number.isFinite(weight))
  if (wrong >= 0) throw new InputError(`[rewardWeights] expected finite numbers, got ${weights[wrong]} at ${wrong}`)
  return weights
}

async function callReward(reward: RewardFunc, name: string, input: RewardInput, index: number): Promise<number | null> {
  const value: unknown = await call()
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value
  throw failed(`gave ${String(value)}; expected a finite number, or null where it does not apply`)

  async function call() {
    try {
      return await reward(input)
    } catch (error) {
      if (input.signal?.aborted) throw error
      throw failed(`threw: ${messageOf(error)}`, error)
    }
  }

  function failed(what: string, cause?: unknown): VsgrpoError {
    const id = input.example.id ?? `(no id; completion ${index} of the batch)`
    const text = input.text.length > 80 ? `${input.text.slice(0, 80)}…` : input.text
    return new VsgrpoError(`[reward ${name}] example ${id}, completion ${JSON.stringify(text)}: ${what}`, {
      code: 'ERR_VSGRPO_REWARD',
      cause,
    })
  }
}

/** A reward that does not apply adds nothing; a completion to which none applies cannot be scored (TRL's None). */
function addUp(
  byReward: readonly (readonly (number | null)[])[],
  weights: readonly number[],
  count: number,
): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const applicable = byReward.flatMap((values, j) => {
      const value = values[i] ?? null
      return value === null ? [] : [value * (weights[j] ?? 1)]
    })
    return applicable.length === 0 ? Number.NaN : applicable.reduce((sum, value) => sum + value, 0)
  })
}
