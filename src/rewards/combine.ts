/**
 * Runs every reward on every completion of a batch, all at the same time, and adds them up with their weights.
 * A reward that throws, takes longer than the timeout, or gives anything but a finite number or null, stops the batch with
 * an error that names the reward and the example; with `onError: 'null'` it is counted and does not apply instead.
 */
import { InputError, VsgrpoError } from '../errors.js'
import { type CallContext, callBatch, callReward, type Outcome, PendingCalls } from './call.js'
import { type RewardFunc, type RewardInput, rewardNames } from './reward.js'

export interface Scores {
  /** [J] names under which the rewards are logged. */
  readonly names: readonly string[]
  /** [J][B] */
  readonly byReward: readonly (readonly (number | null)[])[]
  /** [B] weighted sums over the rewards that apply; NaN where none does. */
  readonly totals: Float64Array
  /** [J] completions that got null because the reward failed. All 0 with `onError: 'stop'`. */
  readonly failures: readonly number[]
  /** What the first of them was, with reward and example. */
  readonly firstFailure?: string
}

export interface CombineOptions {
  /** One per reward. Default: all 1. */
  readonly weights?: readonly number[]
  /** Milliseconds that one call of a reward may take. Default: no limit. Code that never awaits cannot be stopped. */
  readonly timeout?: number
  /** What a failing reward does: stop the batch (default), or count as null for its completion. */
  readonly onError?: 'stop' | 'null'
  readonly signal?: AbortSignal
}

/** Scores the completions of a batch. Rejects with the signal's reason as soon as it fires. */
export async function combineRewards(
  rewards: readonly RewardFunc[],
  inputs: readonly RewardInput[],
  options: CombineOptions = {},
): Promise<Scores> {
  const { signal, onError = 'stop' } = options
  const weights = checkWeights(rewards, options.weights)
  const timeout = checkRewardTimeout(options.timeout)
  const names = rewardNames(rewards)
  const tally = new Tally(rewards.length, onError)
  const pending = new PendingCalls()
  // Not AbortSignal.any: it keeps something behind at the run's signal for every batch.
  const forward = () => pending.stop(signal?.reason)
  if (signal?.aborted) forward()
  signal?.addEventListener('abort', forward, { once: true })
  try {
    const byReward = await Promise.all(
      rewards.map((reward, j) => {
        const context: CallContext = { name: names[j] ?? '', pending, timeout }
        return scoreAll(reward, inputs, context, (outcome) => tally.take(outcome, j))
      }),
    )
    return { names, byReward, totals: addUp(byReward, weights, inputs.length), ...tally.result() }
  } catch (error) {
    pending.stop(error)
    throw error
  } finally {
    signal?.removeEventListener('abort', forward)
  }
}

/** The weights of a list of rewards, checked: one finite number each, none below 0; no reward is there twice. */
export function checkWeights(rewards: readonly RewardFunc[], weights?: readonly number[]): readonly number[] {
  if (rewards.length === 0) throw new InputError('[rewardFuncs] expected at least one reward function, got none')
  const twice = rewards.find((reward, j) => rewards.indexOf(reward) < j)
  if (twice) {
    throw new InputError(
      `[rewardFuncs] expected every reward once, got ${twice.name || 'one without a name'} twice; say in rewardWeights how much it counts`,
    )
  }
  if (!weights) return rewards.map(() => 1)
  if (weights.length !== rewards.length) {
    throw new InputError(
      `[rewardWeights] expected one weight for each of the ${rewards.length} rewards, got ${weights.length}`,
    )
  }
  const wrong = weights.findIndex((weight) => !Number.isFinite(weight))
  if (wrong >= 0) throw new InputError(`[rewardWeights] expected finite numbers, got ${weights[wrong]} at ${wrong}`)
  const negative = weights.findIndex((weight) => weight < 0)
  if (negative >= 0) {
    throw new InputError(
      `[rewardWeights] expected numbers of at least 0, got ${weights[negative]} for ${rewardNames(rewards)[negative]}; ` +
        'a reward that should cost gives negative numbers itself',
    )
  }
  return weights
}

/** The longest that setTimeout can wait; above it, it would fire at once. */
const longestTimeout = 2 ** 31 - 1

/** A timeout of rewards in milliseconds, checked. */
function checkRewardTimeout(timeout: number | undefined): number | undefined {
  if (timeout === undefined || (timeout > 0 && timeout <= longestTimeout)) return timeout
  throw new InputError(`[rewardTimeout] expected milliseconds above 0 and up to ${longestTimeout}, got ${timeout}`)
}

function scoreAll(
  reward: RewardFunc,
  inputs: readonly RewardInput[],
  context: CallContext,
  take: (outcome: Outcome) => number | null,
): Promise<(number | null)[]> {
  if (reward.batch) return callBatch(reward.batch, inputs, context).then((outcomes) => outcomes.map(take))
  return Promise.all(inputs.map((input, i) => callReward(reward, input, i, context).then(take)))
}

/** Counts failures, or throws the first. */
class Tally {
  private readonly failures: number[]
  private firstFailure?: string

  constructor(
    rewards: number,
    private readonly onError: 'stop' | 'null',
  ) {
    this.failures = Array.from({ length: rewards }, () => 0)
  }

  take(outcome: Outcome, reward: number): number | null {
    if (!(outcome instanceof VsgrpoError)) return outcome
    if (this.onError === 'stop') throw outcome
    this.failures[reward] = (this.failures[reward] ?? 0) + 1
    this.firstFailure ??= outcome.message
    return null
  }

  result(): Pick<Scores, 'failures' | 'firstFailure'> {
    const { failures, firstFailure } = this
    return firstFailure === undefined ? { failures } : { failures, firstFailure }
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
