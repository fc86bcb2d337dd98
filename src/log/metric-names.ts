/** Which of a step's metrics people want to see first, whatever algorithm made them. */
import type { Metrics } from '../types.js'

export interface Reading {
  readonly label: string
  readonly value: number
}

/** The mean of the reward that is called accuracy. */
export const accuracyNames: readonly string[] = [
  'accuracy',
  'rewards/accuracy/mean',
  'rewards/accuracyReward/mean',
  'rewards/accuracy_reward/mean',
]

/** TRL's names of each quantity, in reading order. */
const quantities: readonly { readonly label: string; readonly names: readonly string[] }[] = [
  { label: 'reward', names: ['reward'] },
  { label: 'loss', names: ['loss'] },
  // Of answers (GRPO), of pairs whose chosen answer is preferred (DPO), of tokens (SFT).
  { label: 'accuracy', names: [...accuracyNames, 'rewards/accuracies', 'mean_token_accuracy'] },
  { label: 'margin', names: ['rewards/margins'] },
  { label: 'KL', names: ['kl'] },
  { label: 'entropy', names: ['entropy'] },
  { label: 'length', names: ['completions/mean_length'] },
]

/** The present quantities in reading order; the loss only where there is no reward (a GRPO loss says nothing). */
export function readings(metrics: Metrics, prefix = ''): Reading[] {
  const found = quantities.flatMap(({ label, names }) => {
    const value = names.map((name) => metrics[prefix + name]).find((candidate) => candidate !== undefined)
    return value === undefined ? [] : [{ label, value }]
  })
  return found.some(({ label }) => label === 'reward') ? found.filter(({ label }) => label !== 'loss') : found
}
