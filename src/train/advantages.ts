/**
 * Rewards to advantages: how much better than its group each completion did. TRL 1.13's arithmetic: sample standard
 * deviations, NaN (no reward applied) left out of every baseline and given advantage 0.
 */

export interface AdvantageOptions {
  /** Completions per prompt; rewards come group after group. */
  readonly numGenerations: number
  /** Divide by the standard deviation of the group, of the whole batch, or not at all. */
  readonly scaleRewards: 'group' | 'batch' | 'none'
}

export interface Advantages {
  /** [B] */
  readonly advantages: Float64Array
  /** [P] whether all rewards of a group are equal, so that it teaches nothing. */
  readonly flat: readonly boolean[]
}

/** Keeps groups of nearly equal rewards from blowing up. */
const epsilon = 1e-4

export function computeAdvantages(rewards: Float64Array, options: AdvantageOptions): Advantages {
  const { numGenerations: size, scaleRewards } = options
  const advantages = new Float64Array(rewards.length)
  const batchStd = standardDeviation(rewards)
  const flat: boolean[] = []
  for (let begin = 0; begin < rewards.length; begin += size) {
    const group = rewards.subarray(begin, begin + size)
    const baseline = mean(group)
    const std = standardDeviation(group)
    const scale = scaleRewards === 'none' ? 1 : (scaleRewards === 'group' ? std : batchStd) + epsilon
    group.forEach((reward, i) => {
      advantages[begin + i] = Number.isNaN(reward) ? 0 : (reward - baseline) / scale
    })
    flat.push(!(std > 1e-8))
  }
  return { advantages, flat }
}

/** Mean of the values that are numbers; NaN when there is none. */
export function mean(values: ArrayLike<number>): number {
  const numbers = Array.from(values).filter((value) => !Number.isNaN(value))
  return numbers.length === 0 ? Number.NaN : numbers.reduce((sum, value) => sum + value, 0) / numbers.length
}

/** Sample standard deviation (n - 1) of the values that are numbers; 0 for fewer than two. */
export function standardDeviation(values: ArrayLike<number>): number {
  const numbers = Array.from(values).filter((value) => !Number.isNaN(value))
  if (numbers.length < 2) return 0
  const center = mean(numbers)
  return Math.sqrt(numbers.reduce((sum, value) => sum + (value - center) ** 2, 0) / (numbers.length - 1))
}
