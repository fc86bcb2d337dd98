/**
 * A look at the first batch of answers before anything is learnt from it: what would make a run learn nothing shows there
 * already. Pure; each finding is one sentence with its number, what it means and the cure.
 *
 *   finding                                     from
 *   groups that earned equal rewards            75% of at least 4 groups: a few hard prompts are no evidence
 *   a reward that applied to no completion
 *   completions that earned one and the same    all of at least 4 groups; a single reward: 0 for all
 *   completions cut at maxCompletionLength      50%
 *   completions without text                    10%
 *   completions that keep the asked form        below 5%, for each reward with "format" in its name
 */
import { short } from '../../log/format.js'
import type { Scores } from '../../rewards/combine.js'
import type { Completion } from '../../types.js'
import type { RewardTable } from './advantages.js'

const thresholds = { groups: 4, flat: 0.75, truncated: 0.5, empty: 0.1, format: 0.05 } as const

/** A reward table whose columns have names. */
type NamedRewards = Pick<Scores, 'names'> & RewardTable

/** What `preflight` looks at; a `Rollout` has the first two. */
export interface FirstBatch {
  /** [B] group after group. */
  readonly completions: readonly Pick<Completion, 'text' | 'finishReason'>[]
  readonly scores: NamedRewards
  /** [P] whether all rewards of a group are equal (`computeAdvantages`). */
  readonly flat: readonly boolean[]
  readonly maxCompletionLength: number
}

/** What is wrong with a run's first batch, the gravest first; empty when all is well. */
export function preflight(batch: FirstBatch): string[] {
  if (batch.completions.length === 0) return []
  return [...rewardFindings(batch), ...formatFindings(batch), ...truncationFindings(batch), ...emptyFindings(batch)]
}

/** The gravest only: one and the same reward for all, equal rewards in most groups, rewards that nothing earned or had. */
function rewardFindings({ completions, scores, flat }: FirstBatch): string[] {
  const totals = [...scores.totals].filter((total) => !Number.isNaN(total))
  if (totals.length === 0) {
    return [
      `no reward applied to any of the ${completions.length} completions: nothing can be learnt; check the columns that rewardFuncs read`,
    ]
  }
  if (flat.length < thresholds.groups) return []
  const all = `all ${completions.length} completions`
  const [first = 0] = totals
  if (totals.every((total) => total === first)) {
    return [`${all} earned the reward ${short(first)}: nothing can be learnt; ${cureOfConstant(first)}`]
  }
  const flatCount = flat.filter(Boolean).length
  const cure = 'raise temperature or numGenerations, or use a reward with partial credit'
  if (flatCount === flat.length) {
    return [`all ${flat.length} groups earned equal rewards: nothing can be learnt; ${cure}`]
  }
  const findings = [
    ...silentRewards(scores).map(
      (name) =>
        `reward ${name} applied to none of the ${completions.length} completions: it teaches nothing; check the columns that it reads`,
    ),
    ...zeroRewards(scores).map(
      (name) =>
        `reward ${name} gave 0 to ${all}: it teaches nothing; check that it reads these answers (a penalty that none earned is fine)`,
    ),
  ]
  if (flatCount < thresholds.flat * flat.length) return findings
  return [
    `${share(flatCount, flat.length, 'groups')} earned equal rewards: only the others teach; ${cure}`,
    ...findings,
  ]
}

function cureOfConstant(value: number): string {
  return value > 0
    ? 'check that rewardFuncs tell answers apart, or use harder examples'
    : 'check that rewardFuncs read these answers, or use a reward with partial credit, or easier examples'
}

function silentRewards({ names, byReward }: NamedRewards): string[] {
  return names.filter((_, j) => applicable(byReward[j]).length === 0)
}

/** Rewards that are 0 wherever they apply. One for the form of an answer has a finding of its own. */
function zeroRewards({ names, byReward }: NamedRewards): string[] {
  return names.filter((name, j) => {
    const values = applicable(byReward[j])
    return !isFormat(name) && values.length > 0 && values.every((value) => value === 0)
  })
}

function formatFindings({ scores }: FirstBatch): string[] {
  return scores.names.flatMap((name, j) => {
    const values = applicable(scores.byReward[j])
    const kept = values.filter((value) => value > 0).length
    if (!isFormat(name) || values.length === 0 || kept >= thresholds.format * values.length) return []
    return [
      `${share(kept, values.length)} keep the form that reward ${name} asks for: it is hardly ever earned; ask for the form in the prompt, or fine-tune on examples of it first`,
    ]
  })
}

function truncationFindings({ completions, maxCompletionLength }: FirstBatch): string[] {
  const cut = completions.filter(({ finishReason }) => finishReason === 'length').length
  if (cut < thresholds.truncated * completions.length) return []
  return [
    `${share(cut, completions.length)} were cut at maxCompletionLength ${maxCompletionLength}: answers at their end are lost; raise it, or ask for shorter answers`,
  ]
}

function emptyFindings({ completions }: FirstBatch): string[] {
  const empty = completions.filter(({ text }) => text.trim() === '').length
  if (empty < thresholds.empty * completions.length) return []
  return [
    `${share(empty, completions.length)} are empty: the model has nothing to say; check that prompts end with a question, and the model's chat template and end tokens`,
  ]
}

function isFormat(name: string): boolean {
  return /format/i.test(name)
}

function applicable(values: readonly (number | null)[] = []): number[] {
  return values.flatMap((value) => (value === null ? [] : [value]))
}

function share(count: number, total: number, what = 'completions'): string {
  return `${count} of ${total} ${what} (${Math.round((100 * count) / total)}%)`
}
