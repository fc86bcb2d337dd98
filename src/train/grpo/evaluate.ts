/** Evaluations of GRPO during and after training: rewards of answers. */
import type { Dataset } from '../../data/dataset.js'
import { rowBatches } from '../../data/loader.js'
import type { Policy, SampleOptions } from '../../policy.js'
import { type RewardFunc, rewardNames } from '../../rewards/reward.js'
import type { Metrics, Prompt } from '../../types.js'
import { Meter } from '../meter.js'
import { readPrompts } from '../unusable-rows.js'
import type { GRPOValues } from './config.js'
import { type Answers, joinAnswers, measureRollout, type RolloutOptions, rollOut } from './rollout.js'
import { samplingOptions } from './sampling.js'

export interface EvaluateOptions {
  readonly policy: Policy
  readonly dataset: Dataset
  readonly encode: (index: number) => Promise<Prompt>
  readonly signal?: AbortSignal
}

/** Mean rewards over a dataset under TRL's names with `eval_`: one greedy answer each, or `numGenerationsEval` sampled. */
export async function evaluateRewards(
  options: EvaluateOptions & { readonly rewards: readonly RewardFunc[]; readonly scoring: RolloutOptions['scoring'] },
  config: GRPOValues,
): Promise<Metrics> {
  const sampled = config.numGenerationsEval !== undefined
  const base = samplingOptions(config)
  const sampling: SampleOptions = sampled
    ? { ...base, numGenerations: config.numGenerationsEval }
    : { ...base, temperature: 0 }
  const parts: Answers[] = []
  const meter = new Meter()
  for (const rows of rowBatches(options.dataset, config.perDeviceEvalBatchSize)) {
    const { indices, encode } = await readPrompts(rows, options.encode, { ...config, meter })
    if (indices.length === 0) continue
    const keys = indices.map((index) => `eval ${index}`)
    const { completions, scores } = await rollOut(indices, { ...options, encode, sampling: { ...sampling, keys } })
    parts.push({ completions, scores })
  }
  if (parts.length > 0) measureRollout(joinAnswers(parts), meter)
  return { ...unknown(options.rewards), ...meter.take('eval_') }
}

/** Rewards that apply to no row have no mean, but they are metrics nonetheless: NaN, as TRL logs them, is never the best. */
function unknown(rewards: readonly RewardFunc[]): Metrics {
  const names = ['reward', ...rewardNames(rewards).map((name) => `rewards/${name}/mean`)]
  return Object.fromEntries(names.map((name) => [`eval_${name}`, Number.NaN]))
}
