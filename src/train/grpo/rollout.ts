/** Answers and what they earned: samples completions for rows of a dataset, scores them, and sums that up in metrics. */
import type { Dataset } from '../../data/dataset.js'
import type { Policy, SampleOptions } from '../../policy.js'
import { type CombineOptions, combineRewards, type Scores } from '../../rewards/combine.js'
import type { RewardFunc } from '../../rewards/reward.js'
import type { Completion, Example, Message, Prompt } from '../../types.js'
import type { CompletionRow } from '../events.js'
import { mediaPaths } from '../media-paths.js'
import type { Meter } from '../meter.js'
import { type Clock, timed } from '../timing.js'
import { mean, standardDeviation } from './advantages.js'

/** What was answered and what it earned. */
export interface Answers {
  /** [B] completions, group after group. */
  readonly completions: readonly Completion[]
  readonly scores: Scores
}

export interface Rollout extends Answers {
  /** [P] */
  readonly prompts: readonly Prompt[]
  /** [B] the example of each completion. */
  readonly examples: readonly Example[]
  /** [B] the example's index in the dataset. */
  readonly indices: readonly number[]
}

export interface RolloutOptions {
  readonly policy: Policy
  readonly dataset: Dataset
  readonly encode: (index: number) => Promise<Prompt>
  readonly rewards: readonly RewardFunc[]
  readonly scoring: Omit<CombineOptions, 'signal'>
  readonly sampling: SampleOptions
  readonly signal?: AbortSignal
  /** Notes how long sampling and scoring took. */
  readonly clock?: Clock
}

export async function rollOut(rows: readonly number[], options: RolloutOptions): Promise<Rollout> {
  const { policy, dataset, signal, sampling, clock } = options
  const prompts = await Promise.all(rows.map(options.encode))
  const generate = async () => (await policy.generate(prompts, { ...sampling, signal })).flat()
  const completions = await timed(clock, 'generation', generate, countCompletionTokens)
  const size = sampling.numGenerations ?? 1
  const indices = rows.flatMap((row) => Array.from({ length: size }, () => row))
  const examples = indices.map((index) => dataset.get(index))
  const inputs = completions.map(({ text, ids, finishReason }, i) => {
    const example = examples[i] ?? dataset.get(indices[i] ?? 0)
    // Errors name the example by its id, or its place in the file.
    const named =
      example.id === undefined ? { ...example, id: dataset.where?.(indices[i] ?? 0) ?? indices[i] } : example
    return { text, ids, finishReason, example: named, prompt: prompts[Math.floor(i / size)] }
  })
  const score = () => combineRewards(options.rewards, inputs, { ...options.scoring, signal })
  const scores = await timed(clock, 'rewards', score)
  return { prompts, completions, examples, indices, scores }
}

function countCompletionTokens(completions: readonly Completion[]): number {
  return completions.reduce((sum, { ids }) => sum + ids.length, 0)
}

/** Parts as one batch, which is how they are measured: so their sizes do not show. */
export function joinAnswers(parts: readonly Answers[]): Answers {
  const names = parts[0]?.scores.names ?? []
  return {
    completions: parts.flatMap(({ completions }) => completions),
    scores: {
      names,
      byReward: names.map((_, j) => parts.flatMap(({ scores }) => scores.byReward[j] ?? [])),
      totals: Float64Array.from(parts.flatMap(({ scores }) => [...scores.totals])),
      firstFailure: parts.find(({ scores }) => scores.firstFailure)?.scores.firstFailure,
      failures: names.map((_, j) => parts.reduce((sum, { scores }) => sum + (scores.failures[j] ?? 0), 0)),
    },
  }
}

/**
 * TRL's `completions/*`, `rewards/*`, `reward` and `reward_std`. Where a log row spans steps of unequally many completions, each
 * step weighs as many as it has; TRL's steps all have as many.
 */
export function measureRollout({ completions, scores }: Answers, meter: Meter): void {
  const lengths = completions.map(({ ids }) => ids.length)
  const terminated = completions.filter(({ finishReason }) => finishReason === 'stop').map(({ ids }) => ids.length)
  const note = (name: string, value: number) => meter.mean(name, value, completions.length)
  measureLengths('', lengths, note)
  // TRL logs 0 when no completion ended by itself.
  measureLengths('terminated_', terminated.length > 0 ? terminated : [0], note)
  note('completions/clipped_ratio', 1 - terminated.length / Math.max(1, completions.length))
  for (const [j, name] of scores.names.entries()) {
    const values = (scores.byReward[j] ?? []).map((value) => value ?? Number.NaN)
    note(`rewards/${name}/mean`, mean(values))
    note(`rewards/${name}/std`, standardDeviation(values))
    if (scores.failures[j]) meter.sum(`rewards/${name}/failures`, scores.failures[j])
  }
  note('reward', mean(scores.totals))
  note('reward_std', standardDeviation(scores.totals))
}

function measureLengths(kind: string, lengths: readonly number[], note: (name: string, value: number) => void): void {
  // Not Math.min(...lengths): an evaluation may have more of them than a call has room for.
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const length of lengths) {
    least = Math.min(least, length)
    most = Math.max(most, length)
  }
  note(`completions/mean_${kind}length`, mean(lengths))
  note(`completions/min_${kind}length`, least)
  note(`completions/max_${kind}length`, most)
}

/** The rows of `completions.jsonl`. */
export function completionRows(rollout: Rollout, advantages: ArrayLike<number>, step: number): CompletionRow[] {
  const { completions, examples, indices, scores } = rollout
  return completions.map(({ text }, i) => {
    const { id, messages = [], answer } = examples[i] ?? {}
    const media = mediaPaths(messages)
    const total = scores.totals[i] ?? Number.NaN
    return {
      step,
      exampleId: id ?? indices[i] ?? i,
      question: questionOf(messages),
      ...(answer === undefined ? {} : { answer }),
      completion: text,
      rewards: Object.fromEntries(scores.names.map((name, j) => [name, scores.byReward[j]?.[i] ?? null])),
      reward: Number.isNaN(total) ? null : total,
      advantage: advantages[i] ?? 0,
      ...(media.length === 0 ? {} : { media }),
    }
  })
}

/** Text of the last user message. */
function questionOf(messages: readonly Message[]): string {
  const content = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  if (typeof content === 'string') return content
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
}
