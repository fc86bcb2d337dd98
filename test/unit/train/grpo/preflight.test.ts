// What the first batch shows before anything is learnt: a healthy one raises nothing, each fault is told with its cure.
import { describe, expect, it } from 'vitest'
import { type FirstBatch, preflight } from '../../../../src/train/grpo/preflight.js'

type Column = readonly (number | null)[]

/** Rewards of groups of two, and their unweighted sums. */
function scored(rewards: Readonly<Record<string, Column>>): Pick<FirstBatch, 'scores' | 'flat'> {
  const byReward = Object.values(rewards)
  const totals = Float64Array.from(byReward[0] ?? [], (_, i) => {
    const values = byReward.flatMap((column) => column[i] ?? [])
    return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0)
  })
  const scores = { names: Object.keys(rewards), byReward, totals }
  const flat = Array.from({ length: totals.length / 2 }, (_, p) => totals[2 * p] === totals[2 * p + 1])
  return { scores, flat }
}

const healthy: FirstBatch = {
  completions: Array.from({ length: 10 }, () => ({ text: '3', finishReason: 'stop' as const })),
  ...scored({ accuracy: [1, 0, 0, 0, 0, 1, 1, 1, 0, 0] }),
  maxCompletionLength: 8,
}

function completions(count: number, fault: Partial<FirstBatch['completions'][number]>): FirstBatch['completions'] {
  return healthy.completions.map((completion, i) => (i < count ? { ...completion, ...fault } : completion))
}

function withRewards(rewards: Readonly<Record<string, Column>>): string[] {
  return preflight({ ...healthy, ...scored(rewards) })
}

describe('preflight', () => {
  it('says nothing about a batch to learn from', () => {
    expect(preflight(healthy)).toEqual([])
  })

  it('tells that all rewards are one and the same', () => {
    expect(withRewards({ accuracy: Array(10).fill(0) })).toEqual([
      'all 10 completions earned the reward 0: nothing can be learnt; check that rewardFuncs read these answers, or use a reward with partial credit, or easier examples',
    ])
    expect(withRewards({ accuracy: Array(10).fill(0.5), length: Array(10).fill(0.5) })).toEqual([
      'all 10 completions earned the reward 1: nothing can be learnt; check that rewardFuncs tell answers apart, or use harder examples',
    ])
  })

  it('tells that the groups have no spread, all of them or most', () => {
    expect(withRewards({ accuracy: [1, 1, 0, 0, 0, 0, 1, 1, 0, 0] })).toEqual([
      'all 5 groups earned equal rewards: nothing can be learnt; raise temperature or numGenerations, or use a reward with partial credit',
    ])
    expect(withRewards({ accuracy: [1, 0, 0, 0, 0, 0, 1, 1, 0, 0] })).toEqual([
      '4 of 5 groups (80%) earned equal rewards: only the others teach; raise temperature or numGenerations, or use a reward with partial credit',
    ])
    expect(withRewards({ accuracy: [1, 0, 1, 0, 0, 0, 1, 1, 0, 0] })).toEqual([])
  })

  it('takes three groups for no evidence', () => {
    const few = { ...healthy, completions: healthy.completions.slice(4) }
    expect(preflight({ ...few, ...scored({ accuracy: [0, 0, 0, 0, 0, 0] }) })).toEqual([])
  })

  it('tells that no reward applied', () => {
    expect(withRewards({ accuracy: Array(10).fill(null) })).toEqual([
      'no reward applied to any of the 10 completions: nothing can be learnt; check the columns that rewardFuncs read',
    ])
  })

  it('names a reward that nothing earned beside others that were', () => {
    const accuracy = [1, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    expect(withRewards({ accuracy, depth: [0, 0, null, 0, 0, 0, 0, 0, 0, 0] })).toEqual([
      'reward depth gave 0 to all 10 completions: it teaches nothing; check that it reads these answers (a penalty that none earned is fine)',
    ])
    expect(withRewards({ accuracy, depth: Array(10).fill(null) })).toEqual([
      'reward depth applied to none of the 10 completions: it teaches nothing; check the columns that it reads',
    ])
    expect(withRewards({ accuracy, depth: Array(10).fill(1) })).toEqual([])
  })

  it('tells that the asked form is hardly ever kept', () => {
    const accuracy = [1, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    expect(withRewards({ accuracy, think_format_reward: Array(10).fill(0) })).toEqual([
      '0 of 10 completions (0%) keep the form that reward think_format_reward asks for: it is hardly ever earned; ask for the form in the prompt, or fine-tune on examples of it first',
    ])
    expect(withRewards({ accuracy, format: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0] })).toEqual([])
  })

  it('tells that completions are cut', () => {
    expect(preflight({ ...healthy, completions: completions(5, { finishReason: 'length' }) })).toEqual([
      '5 of 10 completions (50%) were cut at maxCompletionLength 8: answers at their end are lost; raise it, or ask for shorter answers',
    ])
    expect(preflight({ ...healthy, completions: completions(4, { finishReason: 'length' }) })).toEqual([])
  })

  it('tells that completions are empty', () => {
    expect(preflight({ ...healthy, completions: completions(1, { text: ' \n' }) })).toEqual([
      "1 of 10 completions (10%) are empty: the model has nothing to say; check that prompts end with a question, and the model's chat template and end tokens",
    ])
  })

  it('tells all that is wrong, what concerns rewards first', () => {
    const batch = { ...healthy, ...scored({ accuracy: Array(10).fill(0) }) }
    const found = preflight({ ...batch, completions: completions(10, { finishReason: 'length', text: '' }) })
    expect(found.map((finding) => finding.split(':')[0])).toEqual([
      'all 10 completions earned the reward 0',
      '10 of 10 completions (100%) were cut at maxCompletionLength 8',
      '10 of 10 completions (100%) are empty',
    ])
  })

  it('has nothing to say about a batch without completions', () => {
    expect(preflight({ ...healthy, ...scored({ accuracy: [] }), completions: [] })).toEqual([])
  })
})
