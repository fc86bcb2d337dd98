/**
 * The GRPO loss family against TRL: losses, gradients and metrics of hundreds of combinations of options, which
 * TRL 1.13's own trainer class computed in float64 (test/parity/make_trl_golden.py).
 */
import { describe, expect, it } from 'vitest'
import { grpoLoss } from '../../../src/losses/grpo.js'
import { grpoMetrics } from '../../../src/losses/grpo-metrics.js'
import { grid, isClose, problemOf, slicesInWeight, sum, type TrlOptions } from '../../parity/trl-grid.js'

function evaluate(name: string, changes: Partial<TrlOptions>) {
  const { trl, inputs, options } = problemOf(name, changes)
  return { ...grpoLoss(inputs, options), metrics: grpoMetrics(inputs, options), inputs, trl }
}

function expectClose(got: number | undefined, expected: number, what: string): void {
  expect(isClose(got, expected), `${what}: ${got} for TRL's ${expected}`).toBe(true)
}

const named = grid.cases.map((one) => ({ ...one, name: `${one.batch} ${JSON.stringify(one.options)}` }))

describe('the grid of losses', () => {
  it('is of the TRL that we name, and covers the family', () => {
    expect(grid.versions.trl).toBe('1.13.0')
    expect(named.length).toBeGreaterThan(500)
    expect(new Set(named.map(({ options }) => options.loss_type ?? grid.defaults.loss_type)).size).toBe(8)
  })

  it.each(named)('equals TRL: $name', ({ batch, options, loss, dlogps, dentropies, metrics }) => {
    const got = evaluate(batch, options)
    expectClose(got.loss, loss, 'loss')
    for (const [k, slope] of dlogps.entries()) expectClose(got.dlogps[k], slope, `dlogps[${k}]`)
    expect(got.dentropy?.length).toBe(dentropies?.length)
    for (const [k, slope] of (dentropies ?? []).entries()) expectClose(got.dentropy?.[k], slope, `dentropy[${k}]`)

    // TRL logs the loss of a slice without the bonus, before it divides by the number of slices.
    const { policy_loss: policyLoss, entropy_coef: coefficient, ...others } = metrics
    if (policyLoss !== undefined) {
      expect(coefficient).toBe(got.trl.entropy_coef)
      const { entropy, entropyBonus: bonus } = got.inputs
      const total = sum(Array.from(bonus ?? [], (share, k) => share * (entropy?.[k] ?? 0)))
      expectClose((got.loss + total) * slicesInWeight(got.trl), policyLoss, 'policy_loss')
    }
    expect(Object.keys(got.metrics).sort()).toEqual(Object.keys(others).sort())
    for (const [name, value] of Object.entries(others)) expectClose(got.metrics[name], value, name)
  })
})

/**
 * Three completions as explicit numbers, which were worked out apart from the grid: [options, loss, first row]. With the
 * entropy quantile, the token of median entropy stays: TRL drops it only where entropies are float64 and its float32
 * threshold rounds above it.
 */
const explicit: readonly [Partial<TrlOptions>, number, (readonly number[])?][] = [
  [{ epsilon_high: 0.2 }, 0.138211175],
  [{}, 0.131544508, [-0.092098, -0.068228, -0.083333, 0]],
  [{ loss_type: 'bnpo' }, -0.083855762, [-0.122797, -0.09097, -0.111111, 0]],
  [{ loss_type: 'dapo' }, -0.083855762, [-0.122797, -0.09097, -0.111111, 0]],
  [{ loss_type: 'dr_grpo' }, -0.031445911, [-0.046049, -0.034114, -0.041667, 0]],
  [{ loss_type: 'cispo', epsilon_high: 5 }, 0.222321054, [-0.122797, -0.09097, -0.111111, -0.202458]],
  [{ loss_type: 'sapo' }, 0.139529477, [-0.091843, -0.06767, -0.083333, -0.128822]],
  [{ loss_type: 'luspo', importance_sampling_level: 'sequence' }, -0.420577848, Array(4).fill(-0.377716)],
  [{ loss_type: 'vespo' }, -0.258358275, Array(4).fill(-0.043136)],
  [{ importance_sampling_level: 'sequence', epsilon_high: 0.2 }, 0.076851889, Array(4).fill(-0.094429)],
  [{ importance_sampling_level: 'sequence', epsilon_low: 3e-4, epsilon_high: 4e-4 }, 0.121101374, [0, 0, 0, 0]],
  [
    { beta: 0.04, epsilon_high: 0.2, use_bias_correction_kl: false },
    0.138842654,
    [-0.091493, -0.068578, -0.082729, -0.000738],
  ],
  [{ beta: 0.04, epsilon_high: 0.2 }, 0.138881049, [-0.091361, -0.0685, -0.082667, -0.001215]],
  [{ loss_type: 'dapo', beta: 0.04, use_bias_correction_kl: false }, -0.083211444],
  [{ loss_type: 'dapo', beta: 0.04 }, -0.08314453],
  [
    { old_logps: false, beta: 0.04, use_bias_correction_kl: false },
    0.100631479,
    [-0.082729, -0.083684, -0.082729, -0.084071],
  ],
  [{ delta: 1.1 }, 0.11666504, [0, -0.068228, -0.083333, 0]],
  [
    { top_entropy_quantile: 0.5, beta: 0.04, epsilon_high: 0.2, use_bias_correction_kl: false },
    0.074795818,
    [0.000604, -0.068578, 0.000604, -0.000738],
  ],
  [
    { loss_type: 'dapo', gradient_accumulation_steps: 2, steps_per_generation: 4, num_items_in_batch: 36 },
    -0.041927881,
    [-0.0613985, -0.045485, -0.0555555, 0],
  ],
  [{ epsilon_high: 0.2, gradient_accumulation_steps: 2 }, 0.069105588],
]

describe('explicit numbers', () => {
  const shared = { epsilon_high: 0.28, max_completion_length: 8, num_items_in_batch: 9 }

  it.each(explicit)('%j', (options, loss, firstRow) => {
    const got = evaluate('golden', { ...shared, ...options })
    expect(got.loss).toBeCloseTo(loss, 6)
    for (const [k, slope] of (firstRow ?? []).entries()) expect(got.dlogps[k]).toBeCloseTo(slope, 6)
  })

  it('of the metrics', () => {
    const { metrics } = evaluate('golden', shared)
    expect(metrics['clip_ratio/low_mean']).toBeCloseTo(1 / 9, 9)
    expect(metrics['clip_ratio/high_mean']).toBeCloseTo(1 / 9, 9)
    expect(metrics['clip_ratio/region_mean']).toBeCloseTo(2 / 9, 9)
    expect(metrics['clip_ratio/low_min']).toBe(0)
    expect(metrics['clip_ratio/high_max']).toBe(0.25)
    expect(evaluate('golden', { ...shared, delta: 1.1 }).metrics['clip_ratio/high_mean']).toBe(0)
    const uncorrected = { ...shared, beta: 0.04, use_bias_correction_kl: false }
    expect(evaluate('golden', uncorrected).metrics.kl).toBeCloseTo(0.016108, 6)
    expect(evaluate('golden', { ...shared, beta: 0.04 }).metrics.kl).toBeCloseTo(0.017781, 6)
    expect(evaluate('golden', { ...shared, loss_type: 'vespo' }).metrics['vespo/phi_seq_mean']).toBeCloseTo(0.878794, 6)
  })
})
