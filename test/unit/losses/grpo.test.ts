/** The GRPO loss: TRL 1.13's numbers for explicit inputs, and its gradient by finite differences. */
import { describe, expect, it } from 'vitest'
import {
  defaultGrpoOptions,
  type GrpoInputs,
  type GrpoOptions,
  grpoLoss,
  grpoMetrics,
} from '../../../src/losses/index.js'
import { tokenWeights, type WeightOptions } from '../../../src/train/grpo/weights.js'

// Three completions of 4, 3 and 2 tokens; the expected numbers come from TRL's own trainer class in float64.
const logps = [-0.5, -1.2, -0.1, -2.0, -0.3, -0.9, -1.5, -2.2, -0.4]
const oldLogps = [-0.6, -1.0, -0.1, -2.6, -0.2, -1.3, -1.45, -1.9, -0.75]
const refLogps = [-0.7, -1.1, -0.3, -1.8, -0.3, -1.0, -1.2, -2.0, -0.5]
const advantages = [1, 1, 1, 1, -0.5, -0.5, -0.5, -0.8, -0.8]
const lengths = [4, 3, 2]

function inputs(lossType: WeightOptions['lossType'], more: Partial<GrpoInputs> = {}): GrpoInputs {
  const weights = tokenWeights(lengths, { lossType, sliceSize: 3, maxCompletionLength: 8, dapoTokens: 9 })
  return {
    logps: Float32Array.from(logps),
    oldLogps: Float32Array.from(oldLogps),
    refLogps: Float32Array.from(refLogps),
    advantages: Float32Array.from(advantages),
    weights: Float32Array.from(lengths.flatMap((length, i) => Array(length).fill(weights[i]))),
    offsets: Int32Array.of(0, 4, 7, 9),
    ...more,
  }
}

const clip = { ...defaultGrpoOptions, useBiasCorrectionKl: false }
const high = { ...clip, epsilonHigh: 0.28 }

describe('grpoLoss', () => {
  it.each([
    ['grpo', clip, 0.138211175, undefined],
    ['grpo', high, 0.131544508, [-0.092098, -0.068228, -0.083333, 0]],
    ['bnpo', high, -0.083855762, [-0.122797, -0.09097, -0.111111, 0]],
    ['dapo', high, -0.083855762, [-0.122797, -0.09097, -0.111111, 0]],
    ['dr_grpo', high, -0.031445911, [-0.046049, -0.034114, -0.041667, 0]],
    ['grpo', { ...clip, beta: 0.04 }, 0.138842654, [-0.091493, -0.068578, -0.082729, -0.000738]],
    ['dapo', { ...high, beta: 0.04 }, -0.083211444, undefined],
  ] satisfies [WeightOptions['lossType'], GrpoOptions, number, number[] | undefined][])(
    'equals TRL for %s %j',
    (lossType, options, loss, firstRow) => {
      const result = grpoLoss(inputs(lossType), options)
      expect(result.loss).toBeCloseTo(loss, 6)
      firstRow?.forEach((slope, k) => {
        expect(result.dlogps[k]).toBeCloseTo(slope, 5)
      })
    },
  )

  it('equals TRL without old log-probabilities: the ratio is 1 and its gradient the policy gradient', () => {
    const result = grpoLoss(inputs('grpo', { oldLogps: undefined }), { ...clip, beta: 0.04 })
    expect(result.loss).toBeCloseTo(0.100631479, 6)
    for (const [k, slope] of [-0.082729, -0.083684, -0.082729, -0.084071].entries()) {
      expect(result.dlogps[k]).toBeCloseTo(slope, 5)
    }
  })

  it('gives TRL clip metrics and KL', () => {
    const metrics = grpoMetrics(inputs('grpo'), { ...high, beta: 0.04 })
    expect(metrics['clip_ratio/low_mean']).toBeCloseTo(1 / 9, 9)
    expect(metrics['clip_ratio/high_mean']).toBeCloseTo(1 / 9, 9)
    expect(metrics['clip_ratio/region_mean']).toBeCloseTo(2 / 9, 9)
    expect(metrics['clip_ratio/low_min']).toBe(0)
    expect(metrics['clip_ratio/high_max']).toBe(0.25)
    expect(grpoMetrics(inputs('grpo'), { ...clip, beta: 0.04 }).kl).toBeCloseTo(0.016108, 6)
    expect(grpoMetrics(inputs('grpo'), clip)).not.toHaveProperty('kl')
  })

  it('has the gradient that finite differences give', () => {
    const options = { ...high, beta: 0.3 }
    const { dlogps } = grpoLoss(inputs('dapo'), options)
    const step = 2 ** -10
    for (const k of logps.keys()) {
      const at = (sign: number) => {
        const moved = Float32Array.from(logps)
        moved[k] = (moved[k] ?? 0) + sign * step
        return grpoLoss(inputs('dapo', { logps: moved }), options).loss
      }
      expect(dlogps[k]).toBeCloseTo((at(1) - at(-1)) / (2 * step), 4)
    }
  })

  it('leaves tokens without weight out of the loss, the gradient and the metrics', () => {
    const all = inputs('grpo')
    const weights = all.weights.map((weight, k) => (k < 4 ? 0 : weight))
    const masked = grpoLoss({ ...all, weights }, high)
    expect([...masked.dlogps.subarray(0, 4)]).toEqual([0, 0, 0, 0])
    const metrics = grpoMetrics({ ...all, weights }, high)
    expect(metrics['clip_ratio/low_mean']).toBeCloseTo(1 / 5, 9)
    expect(metrics['clip_ratio/high_mean']).toBe(0)
  })

  it('refuses a KL penalty without a reference', () => {
    expect(() => grpoLoss(inputs('grpo', { refLogps: undefined }), { ...clip, beta: 0.1 })).toThrow(
      'needs refLogps, got none: give them, or beta 0',
    )
  })
})
