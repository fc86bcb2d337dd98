/**
 * Rewards to advantages: how much better than its group each completion did. TRL 1.13's arithmetic: sample standard
 * deviations, NaN (no reward applied) left out of every baseline and given advantage 0.
 */

/** What the rewards gave; `Scores` of `combineRewards` is one. */
export interface RewardTable {
  /** [J][B] of each reward function; null = not applicable. */
  readonly byReward: readonly (readonly (number | null)[])[]
  /** [B] weighted sums; NaN where no reward applies. */
  readonly totals: Float64Array
}

export interface AdvantageOptions {
  /** Completions per prompt; rewards come group after group. */
  readonly numGenerations: number
  /** Divide by the standard deviation of the group, of the whole batch, or not at all. */
  readonly scaleRewards: 'group' | 'batch' | 'none'
  /** Weigh and add the rewards first, or normalise each within its group first (GDPO, arXiv 2601.05242). */
  readonly multiObjectiveAggregation: 'sum_then_normalize' | 'normalize_then_sum'
  /** [J] for normalize_then_sum; `totals` have them already. */
  readonly rewardWeights: readonly number[]
}

export interface Advantages {
  /** [B] */
  readonly advantages: Float64Array
  /** [P] whether all rewards of a group are equal, so that it teaches nothing. */
  readonly flat: readonly boolean[]
  /** Share of completions whose scale is 0: TRL's `frac_reward_zero_std`. */
  readonly fracZeroStd: number
}

/** Keeps groups of nearly equal rewards from blowing up. */
const epsilon = 1e-4
/** Up to here a standard deviation counts as 0. */
const smallest = 1e-8

export function computeAdvantages(rewards: RewardTable, options: AdvantageOptions): Advantages {
  const scaled =
    options.multiObjectiveAggregation === 'normalize_then_sum'
      ? normalizeThenSum(rewards, options)
      : sumThenNormalize(rewards.totals, options)
  const advantages = scaled.advantages.map((advantage) => (Number.isNaN(advantage) ? 0 : advantage))
  return {
    ...scaled,
    advantages,
    flat: groupsOf(rewards.totals, options).map((group) => !(standardDeviation(group) > smallest)),
  }
}

function sumThenNormalize(totals: Float64Array, options: AdvantageOptions) {
  const { scaleRewards, numGenerations: size } = options
  const groups = groupsOf(totals, options)
  const batchStd = standardDeviation(totals)
  const stds = groups.map((group) => (scaleRewards === 'batch' ? batchStd : standardDeviation(group)))
  const baselines = groups.map(mean)
  const advantages = totals.map((reward, i) => {
    const group = Math.floor(i / size)
    const scale = scaleRewards === 'none' ? 1 : (stds[group] ?? 0) + epsilon
    return (reward - (baselines[group] ?? 0)) / scale
  })
  return { advantages, fracZeroStd: mean(stds.map((std) => Number(isZero(std)))) }
}

/** Each reward as a z-score within its group, weighed and added up, and the sums normalised over the batch. */
function normalizeThenSum({ byReward, totals }: RewardTable, options: AdvantageOptions) {
  const sums = new Float64Array(totals.length)
  for (const [j, column] of byReward.entries()) {
    const values = Float64Array.from(column, (value) => value ?? Number.NaN)
    for (const [g, group] of groupsOf(values, options).entries()) {
      const [center, scale] = [mean(group), standardDeviation(group) + epsilon]
      for (const [i, value] of group.entries()) {
        const at = g * options.numGenerations + i
        const score = ((value - center) / scale) * (options.rewardWeights[j] ?? 1)
        if (!Number.isNaN(score)) sums[at] = (sums[at] ?? 0) + score
      }
    }
  }
  const scored = sums.map((sum, i) => (Number.isNaN(totals[i] ?? 0) ? Number.NaN : sum))
  const [center, std] = [mean(scored), standardDeviation(scored)]
  return { advantages: scored.map((sum) => (sum - center) / (std + epsilon)), fracZeroStd: Number(isZero(std)) }
}

function groupsOf(values: Float64Array, { numGenerations: size }: AdvantageOptions): Float64Array[] {
  return Array.from({ length: values.length / size }, (_, g) => values.subarray(g * size, (g + 1) * size))
}

function isZero(std: number): boolean {
  return std <= smallest
}

/** Mean of the values that are numbers; NaN when there is none. */
export function mean(values: ArrayLike<number>): number {
  const numbers = Array.from(values).filter((value) => !Number.isNaN(value))
  return numbers.length === 0 ? Number.NaN : numbers.reduce((sum, value) => sum + value, 0) / numbers.length
}

/** Sample standard deviation (n - 1) of the values that are numbers; NaN for fewer than two. */
export function standardDeviation(values: ArrayLike<number>): number {
  const numbers = Array.from(values).filter((value) => !Number.isNaN(value))
  if (numbers.length < 2) return Number.NaN
  const center = mean(numbers)
  return Math.sqrt(numbers.reduce((sum, value) => sum + (value - center) ** 2, 0) / (numbers.length - 1))
}
