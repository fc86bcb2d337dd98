// Warnings while a run goes on: each way to go wrong is told once, and the demo's own numbers raise none.
import { describe, expect, it } from 'vitest'
import { type GuardOptions, Guards } from '../../../src/train/guards.js'
import type { Metrics } from '../../../src/types.js'

/** Hands rows over at steps 1, 1 + every, … and gives the warnings with their steps. */
function watch(rows: readonly Metrics[], options: GuardOptions = {}, every = 1): string[] {
  const guards = new Guards(options)
  return rows.flatMap((metrics, i) => guards.check(metrics, 1 + i * every))
}

function repeat(count: number, metrics: Metrics): Metrics[] {
  return Array.from({ length: count }, () => metrics)
}

/** Rows of the demo (seed 2): the first 24, and 24 around the largest leap of its KL. */
const demo = {
  kl: [
    ...[0.0, 0.0394, 0.28, 0.522, 0.529, 0.664, 0.569, 0.488, 0.385, 0.351, 0.57, 0.387, 0.33, 0.338, 0.436, 0.494],
    ...[0.381, 0.514, 0.405, 0.323, 0.318, 0.312, 0.279, 0.51, 1.26, 0.523, 2.58, 1.24, 0.515, 4.4, 1.47, 1.71, 0.428],
    ...[0.926, 0.253, 19.4, 0.556, 0.237, 1.69, 1.83, 0.417, 0.33, 0.299, 4.12, 0.869, 0.485, 5.72, 3.38],
  ],
  entropy: [
    ...[0.482, 0.454, 0.463, 0.47, 0.44, 0.449, 0.454, 0.458, 0.449, 0.459, 0.422, 0.446, 0.425, 0.413, 0.44, 0.425],
    ...[0.442, 0.448, 0.414, 0.443, 0.409, 0.431, 0.409, 0.439, 0.178, 0.211, 0.18, 0.205, 0.187, 0.157, 0.234, 0.225],
    ...[0.171, 0.186, 0.297, 0.189, 0.235, 0.28, 0.176, 0.199, 0.248, 0.245, 0.232, 0.255, 0.215, 0.197, 0.201, 0.16],
  ],
  grad_norm: [
    ...[0.684, 0.781, 0.783, 1.28, 1.1, 0.963, 1.05, 1.47, 1.71, 0.803, 0.868, 0.941, 1.19, 1.02, 0.894, 1.01, 0.922],
    ...[1.13, 0.946, 1.26, 1.1, 0.889, 0.765, 0.9, 9.17, 9.38, 5.99, 6.4, 7.41, 13.6, 10.2, 6.81, 8.59, 6.21, 9.47],
    ...[10.4, 7.16, 8.85, 7.36, 7.63, 11.8, 12.6, 10.6, 8.3, 10.3, 8.48, 7.69, 6.21],
  ],
  frac_reward_zero_std: [
    ...[0.275, 0.138, 0.212, 0.225, 0.2, 0.287, 0.2, 0.25, 0.287, 0.275, 0.2, 0.375, 0.263, 0.312, 0.275, 0.212, 0.362],
    ...[0.312, 0.212, 0.5, 0.338, 0.325, 0.388, 0.287, 0.887, 0.85, 0.863, 0.738, 0.825, 0.887, 0.875, 0.825, 0.875],
    ...[0.812, 0.8, 0.863, 0.863, 0.912, 0.863, 0.9, 0.9, 0.912, 0.812, 0.825, 0.838, 0.863, 0.838, 0.775],
  ],
}

describe('Guards', () => {
  it("says nothing about the demo's own metrics", () => {
    const rows = demo.kl.map((kl, i) => ({
      kl,
      entropy: demo.entropy[i] ?? Number.NaN,
      grad_norm: demo.grad_norm[i] ?? Number.NaN,
      frac_reward_zero_std: demo.frac_reward_zero_std[i] ?? Number.NaN,
      'completions/clipped_ratio': 0,
      'completions/mean_terminated_length': 2,
    }))
    expect(rows).toHaveLength(48)
    expect(rows.flatMap((row) => Object.values(row)).every(Number.isFinite)).toBe(true)
    expect(watch(rows)).toEqual([])
  })

  it('tells of a KL that stays above its limit, not of one that leaps', () => {
    const leaps = [0.1, 50, 0.1, 50, 50, 0.1].map((kl) => ({ kl }))
    expect(watch(leaps)).toEqual([])
    const stays = [0.1, 11, 12, 14.25].map((kl) => ({ kl }))
    expect(watch(stays)).toEqual([
      'step 4: KL is 14.3 nats per token, above klLimit 10: the policy is leaving its reference; lower learningRate or raise beta',
    ])
    expect(watch(stays, { klLimit: 20 })).toEqual([])
    expect(watch(stays, { klLimit: undefined })).toHaveLength(1)
  })

  it('tells of an entropy that fell below a share of its first value', () => {
    const rows = [{ entropy: 0.5 }, ...repeat(3, { entropy: 0.02 })]
    expect(watch(rows)).toEqual([
      expect.stringMatching(/^step 4: entropy fell from 0.5 to 0.02: .+; lower learningRate/),
    ])
    expect(watch([{ entropy: 0.5 }, ...repeat(9, { entropy: 0.026 })])).toEqual([])
    expect(watch(rows, { entropyShare: 0 })).toEqual([])
  })

  it('tells of completions that are all cut, or mostly empty', () => {
    const cut = { 'completions/clipped_ratio': 0.97, 'completions/mean_terminated_length': 1 }
    expect(watch(repeat(3, cut))).toEqual([
      expect.stringMatching(/^step 3: 97% of completions are cut at maxCompletion/),
    ])
    const empty = { 'completions/clipped_ratio': 0.1, 'completions/mean_terminated_length': 1.2 }
    expect(watch(repeat(3, empty))).toEqual([expect.stringMatching(/^step 3: completions have 1.2 tokens on average/)])
    // One token and the end: short, but not empty.
    expect(watch(repeat(9, { ...empty, 'completions/mean_terminated_length': 2 }))).toEqual([])
    expect(watch(repeat(9, { ...empty, 'completions/mean_terminated_length': 0 }))).toEqual([])
  })

  it('tells of rewards without spread for as many steps as asked', () => {
    const flat = { frac_reward_zero_std: 1 }
    expect(watch(repeat(9, flat))).toEqual([])
    expect(watch(repeat(10, flat))).toEqual([
      expect.stringMatching(/^step 10: all groups earned equal rewards for 10 st/),
    ])
    expect(watch([...repeat(9, flat), { frac_reward_zero_std: 0.99 }, ...repeat(9, flat)])).toEqual([])
    expect(watch(repeat(2, flat), { flatSteps: 2 })).toHaveLength(1)
  })

  it('counts the steps that a log row stands for', () => {
    const rows = [{ frac_reward_zero_std: 0 }, ...repeat(2, { frac_reward_zero_std: 1 })]
    expect(watch(rows, {}, 5)).toEqual([expect.stringMatching(/^step 11: all groups/)])
    expect(watch(rows, { flatSteps: 11 }, 5)).toEqual([])
  })

  it('passes over rows that do not have the metric, or not as a number', () => {
    const flat = { frac_reward_zero_std: 1 }
    const gaps = [flat, {}, flat, { frac_reward_zero_std: Number.NaN }, flat]
    expect(watch(gaps, { flatSteps: 5 })).toEqual([expect.stringMatching(/^step 5: all groups/)])
  })

  it('tells of a gradient norm far above its median, once that is known', () => {
    const normal = Array.from({ length: 10 }, (_, i) => ({ grad_norm: 1 + (i % 3) }))
    expect(watch([...normal, { grad_norm: 50 }])).toEqual([
      'step 11: gradient norm 50 is 25 times its running median: the run is becoming unstable; lower learningRate or maxGradNorm',
    ])
    expect(watch([...normal, { grad_norm: 39 }])).toEqual([])
    expect(watch([...normal.slice(1), { grad_norm: 50 }])).toEqual([])
    expect(watch([...repeat(20, { grad_norm: 0 }), ...normal])).toEqual([])
  })

  it('forgets gradient norms of long ago', () => {
    const rows = [...repeat(50, { grad_norm: 0.01 }), ...repeat(40, { grad_norm: 0.1 }), { grad_norm: 1 }]
    expect(watch(rows)).toEqual([])
  })

  it('repeats an alarm that goes on only after repeatSteps, and tells each kind on its own', () => {
    const kl = watch(repeat(110, { kl: 99 }))
    expect(kl.map((warning) => warning.split(':')[0])).toEqual(['step 3', 'step 103'])
    const both = watch(repeat(8, { kl: 99, frac_reward_zero_std: 1 }), { flatSteps: 4, repeatSteps: 5 })
    expect(both.map((warning) => warning.slice(0, 14))).toEqual(['step 3: KL is ', 'step 4: all gr', 'step 8: KL is '])
  })
})
