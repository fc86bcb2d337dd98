/**
 * Watches a run's metrics for the ways in which reinforcement learning goes wrong. A number alone is no alarm: it must
 * stay bad over some steps, because single batches are noisy. Pure but for what it has seen; a resumed run begins anew.
 *
 *   alarm      metric                                  bad                              for steps
 *   kl         kl (nats per token)                     > klLimit                        3
 *   entropy    entropy                                 < entropyShare x first value     3
 *   truncated  completions/clipped_ratio               >= 0.95                          3
 *   empty      completions/mean_terminated_length      < 1.5: most hold the end alone   3
 *   flat       frac_reward_zero_std                    1                                flatSteps
 *   gradNorm   grad_norm                               > gradNormFactor x its median    1
 *
 * The defaults are silent on all of the demo's runs, where KL leaps to 19 for single steps (k3's heavy tail) but its mean
 * over ten stays below 4, entropy falls to a quarter, and the gradient norm rises to four times its median.
 */
import { short } from '../log/format.js'
import type { Metrics } from '../types.js'

export interface GuardOptions {
  /**
   * Nats per token; past it the penalty is the loss. Default 10, where EasyR1 and NeMo-RL clamp the KL of a single token.
   */
  readonly klLimit?: number
  /** Default 0.05; 0 = never, for supervised runs, whose entropy should fall. */
  readonly entropyShare?: number
  /** Steps in a row without any spread of rewards. Default 10. */
  readonly flatSteps?: number
  /** Default 20. */
  readonly gradNormFactor?: number
  /** An alarm that goes on is repeated after so many steps. Default 100. */
  readonly repeatSteps?: number
}

type Limits = Required<GuardOptions>

/** Log rows that the median of the gradient norm is over, and how many it needs. */
const window = { most: 50, least: 10 } as const

/** What was normal before the row that is looked at; absent while too little is known. */
interface Normal {
  readonly entropy?: number
  readonly gradNorm?: number
}

interface Alarm {
  readonly name: string
  readonly metric: string
  /** Steps that it must be bad for. */
  readonly steps: (limits: Limits) => number
  readonly isBad: (value: number, look: Look) => boolean
  /** What it means and the cure. */
  readonly message: (value: number, look: Look) => string
}

interface Look {
  readonly metrics: Metrics
  readonly normal: Normal
  readonly limits: Limits
}

const alarms: readonly Alarm[] = [
  {
    name: 'kl',
    metric: 'kl',
    steps: () => 3,
    isBad: (kl, { limits }) => kl > limits.klLimit,
    message: (kl, { limits }) =>
      `KL is ${short(kl)} nats per token, above klLimit ${limits.klLimit}: the policy is leaving its reference; lower learningRate or raise beta`,
  },
  {
    name: 'entropy',
    metric: 'entropy',
    steps: () => 3,
    isBad: (entropy, { normal, limits }) => entropy < limits.entropyShare * (normal.entropy ?? 0),
    message: (entropy, { normal }) =>
      `entropy fell from ${short(normal.entropy ?? 0)} to ${short(entropy)}: answers of a group are all alike, and little is left to learn from; lower learningRate, raise temperature or beta, or stop here`,
  },
  {
    name: 'truncated',
    metric: 'completions/clipped_ratio',
    steps: () => 3,
    isBad: (share) => share >= 0.95,
    message: (share) =>
      `${percent(share)} of completions are cut at maxCompletionLength: answers at their end are lost; raise it, or reward shorter answers`,
  },
  {
    name: 'empty',
    metric: 'completions/mean_terminated_length',
    steps: () => 3,
    // An empty completion is the end token alone. TRL logs 0 when no completion ended by itself.
    isBad: (length, { metrics }) => length > 0 && length < 1.5 && (metrics['completions/clipped_ratio'] ?? 0) < 0.5,
    message: (length) =>
      `completions have ${short(length)} tokens on average, so most are empty; go back to a checkpoint and lower learningRate, and see to it that no reward favours empty answers`,
  },
  {
    name: 'flat',
    metric: 'frac_reward_zero_std',
    steps: (limits) => limits.flatSteps,
    isBad: (share) => share >= 1,
    message: (_, { limits }) =>
      `all groups earned equal rewards for ${limits.flatSteps} steps or more: nothing is learnt; use harder or easier examples, a reward with partial credit, or a higher temperature`,
  },
  {
    name: 'gradNorm',
    metric: 'grad_norm',
    steps: () => 1,
    isBad: (norm, { normal, limits }) => norm > limits.gradNormFactor * (normal.gradNorm ?? Number.POSITIVE_INFINITY),
    message: (norm, { normal }) =>
      `gradient norm ${short(norm)} is ${short(norm / (normal.gradNorm ?? norm))} times its running median: the run is becoming unstable; lower learningRate or maxGradNorm`,
  },
]

/** Hand it every log row of a run, in order. */
export class Guards {
  private readonly limits: Limits
  private readonly gradNorms: number[] = []
  private firstEntropy: number | undefined
  private lastStep: number | undefined
  /** Of each alarm: the step after which all was bad, and the last that it was raised at. */
  private readonly badAfter = new Map<string, number>()
  private readonly raisedAt = new Map<string, number>()

  constructor(options: GuardOptions = {}) {
    const { klLimit = 10, entropyShare = 0.05, flatSteps = 10, gradNormFactor = 20, repeatSteps = 100 } = options
    this.limits = { klLimit, entropyShare, flatSteps, gradNormFactor, repeatSteps }
  }

  /** The warnings that a log row calls for; each begins with its step and comes once in `repeatSteps` steps at most. */
  check(metrics: Metrics, step: number): string[] {
    const look: Look = { metrics, limits: this.limits, normal: this.normal() }
    // A row stands for the steps since the row before; nothing is known of those before the first.
    const before = this.lastStep ?? step - 1
    const warnings = alarms
      .filter((alarm) => this.isDue(alarm, look, before, step))
      .map(({ metric, message }) => `step ${step}: ${message(metrics[metric] ?? Number.NaN, look)}`)
    this.remember(metrics, step)
    return warnings
  }

  private isDue({ name, metric, steps, isBad }: Alarm, look: Look, before: number, step: number): boolean {
    const value = look.metrics[metric]
    // A row may lack a metric, as on steps that sample nothing: it says neither good nor bad.
    if (value === undefined || Number.isNaN(value)) return false
    if (!isBad(value, look)) {
      this.badAfter.delete(name)
      return false
    }
    const badAfter = this.badAfter.get(name) ?? before
    this.badAfter.set(name, badAfter)
    const isQuiet = step - (this.raisedAt.get(name) ?? Number.NEGATIVE_INFINITY) < this.limits.repeatSteps
    if (step - badAfter < steps(this.limits) || isQuiet) return false
    this.raisedAt.set(name, step)
    return true
  }

  private normal(): Normal {
    const gradNorm = this.gradNorms.length < window.least ? undefined : median(this.gradNorms)
    return {
      ...(this.firstEntropy === undefined ? {} : { entropy: this.firstEntropy }),
      ...(gradNorm === undefined ? {} : { gradNorm }),
    }
  }

  private remember({ entropy, grad_norm: gradNorm }: Metrics, step: number): void {
    this.lastStep = step
    if (entropy !== undefined && !Number.isNaN(entropy)) this.firstEntropy ??= entropy
    // A step without anything to learn has norm 0, which is no measure of the others.
    if (gradNorm !== undefined && gradNorm > 0) this.gradNorms.push(gradNorm)
    if (this.gradNorms.length > window.most) this.gradNorms.shift()
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`
}
