/**
 * The DPO loss family against TRL: losses, gradients and metrics of hundreds of combinations of options, which TRL 1.13's
 * own trainer class computed (test/parity/make_trl_dpo_golden.py).
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type DpoInputs, dpoLoss, rankPairs, readPairs, wpoWeight } from '../../../src/losses/dpo.js'
import { measurePairs } from '../../../src/losses/dpo-metrics.js'
import {
  type DpoLossType,
  type DpoOptions,
  dpoLossTypes,
  type FDivergence,
  isSorting,
} from '../../../src/losses/dpo-options.js'

/** P pairs; ragged arrays hold the answers' tokens one after the other: chosen, rejected, chosen, … */
interface Batch {
  readonly lengths: readonly number[]
  readonly prompt_lengths: readonly number[]
  readonly logps: readonly number[]
  readonly half_temperature_logps: readonly number[]
  readonly ref_logps: readonly number[]
  readonly entropies: readonly number[]
  readonly correct: readonly number[]
}

interface TrlOptions {
  readonly loss_type: readonly DpoLossType[]
  readonly loss_weights: readonly number[] | null
  readonly beta: number
  readonly label_smoothing: number
  readonly f_divergence_type: FDivergence
  readonly f_alpha_divergence_coef: number
  readonly ld_alpha: number | null
  readonly use_weighting: boolean
  readonly discopop_tau: number
}

interface Case {
  readonly batch: string
  readonly options: Partial<TrlOptions>
  readonly loss: number
  readonly dlogps: readonly number[]
  readonly metrics: Readonly<Record<string, number>>
}

interface Grid {
  readonly versions: Readonly<Record<string, string>>
  readonly defaults: TrlOptions
  readonly batches: Readonly<Record<string, Batch>>
  readonly cases: readonly Case[]
}

const fixture = new URL('../../parity/fixtures/trl-dpo/losses.json', import.meta.url)
const grid: Grid = JSON.parse(readFileSync(fixture, 'utf8'))
const named = grid.cases.map((one) => ({ ...one, name: `${one.batch} ${JSON.stringify(one.options)}` }))

function dpoOptions(trl: TrlOptions): DpoOptions {
  return {
    losses: trl.loss_type.map((type, j) => ({ type, weight: trl.loss_weights?.[j] ?? 1 })),
    beta: trl.beta,
    labelSmoothing: trl.label_smoothing,
    fDivergence: trl.f_divergence_type,
    fAlphaDivergenceCoef: trl.f_alpha_divergence_coef,
    ...(trl.ld_alpha === null ? {} : { ldAlpha: trl.ld_alpha }),
    discopopTau: trl.discopop_tau,
  }
}

/** A batch as one slice of the trainer's: means over its pairs, and over the tokens of its chosen answers. */
function problemOf(name: string, changes: Partial<TrlOptions>): { inputs: DpoInputs; options: DpoOptions } {
  const batch = batchOf(name)
  const trl = { ...grid.defaults, ...changes }
  const options = dpoOptions(trl)
  const count = batch.lengths.length / 2
  const chosenTokens = batch.lengths.reduce((sum, length, row) => sum + (row % 2 === 0 ? length : 0), 0)
  const offsets = Int32Array.from([0, ...batch.lengths.map((_, i) => total(batch.lengths.slice(0, i + 1)))])
  const inputs: DpoInputs = {
    logps: Float32Array.from(batch.logps),
    refLogps: Float32Array.from(batch.ref_logps),
    offsets,
    weights: new Float32Array(count).fill(1 / count),
    tokenWeights: new Float32Array(count).fill(1 / chosenTokens),
    ...(trl.use_weighting ? { pairWeights: pairWeights(batch, offsets) } : {}),
  }
  if (!trl.loss_type.some(isSorting)) return { inputs, options }
  return { inputs: { ...inputs, opponents: rankPairs(readPairs(inputs, options)) }, options }
}

function pairWeights(batch: Batch, offsets: Int32Array): Float32Array {
  const cut = (values: readonly number[], row: number) =>
    Float32Array.from(values.slice(offsets[row], offsets[row + 1]))
  const rows = batch.lengths.map((_, row) => wpoWeight(cut(batch.logps, row), cut(batch.half_temperature_logps, row)))
  return Float32Array.from({ length: rows.length / 2 }, (_, i) => (rows[2 * i] ?? 0) * (rows[2 * i + 1] ?? 0))
}

/** The metrics that the loss's inputs decide; the others are counted from tokens by the trainer. */
function ownMetrics({ inputs, options }: ReturnType<typeof problemOf>): [string, number][] {
  const measured = Object.entries(measurePairs(inputs, options))
  return measured.map(([name, values]) => [name, total(values) / values.length])
}

function batchOf(name: string): Batch {
  const batch = grid.batches[name]
  if (!batch) throw new Error(`the grid has no batch ${name}`)
  return batch
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Far from zero a relative difference, near it one in parts of the largest. */
function expectClose(got: number | undefined, expected: number, what: string, scale = 1): void {
  const gap = Math.abs((got ?? Number.NaN) - expected)
  expect(gap <= 1e-5 * Math.max(Math.abs(expected), scale * 0.02), `${what}: ${got} for TRL's ${expected}`).toBe(true)
}

describe('the grid of losses', () => {
  it('is of the TRL that we name, and covers the family', () => {
    expect(grid.versions.trl).toBe('1.13.0')
    expect(named.length).toBeGreaterThan(200)
    const seen = named.flatMap(({ options }) => options.loss_type ?? grid.defaults.loss_type)
    expect([...new Set(seen)].sort()).toEqual([...dpoLossTypes].sort())
    expect(new Set(batchOf('far').lengths).size).toBeGreaterThan(5)
  })

  it.each(named)('equals TRL: $name', ({ batch, options, loss, dlogps, metrics }) => {
    const problem = problemOf(batch, options)
    const got = dpoLoss(problem.inputs, problem.options)
    expectClose(got.loss, loss, 'loss')
    // What TRL computes in float32 has an error of its own where terms cancel.
    const largest = options.f_divergence_type === 'alpha_divergence' ? 5 : Math.max(...dlogps.map(Math.abs))
    expect(got.dlogps.length).toBe(dlogps.length)
    for (const [k, slope] of dlogps.entries()) expectClose(got.dlogps[k], slope, `dlogps[${k}]`, largest)
    const others = /^(logits|entropy|mean_token_accuracy|num_tokens)/
    const own = ownMetrics(problem)
    expect(own.map(([name]) => name).sort()).toEqual(Object.keys(metrics).filter((name) => !others.test(name)))
    for (const [name, value] of own) expectClose(value, metrics[name] ?? Number.NaN, name)
  })

  it('counts the tokens that TRL counts', () => {
    for (const { batch: name, metrics } of named) {
      const { correct, entropies, lengths, prompt_lengths: prompts } = batchOf(name)
      const isChosen = lengths.flatMap((length, row) => Array<boolean>(length).fill(row % 2 === 0))
      const chosen = correct.filter((_, k) => isChosen[k])
      expectClose(total(chosen) / chosen.length, metrics.mean_token_accuracy ?? Number.NaN, 'mean_token_accuracy')
      expectClose(total(entropies) / entropies.length, metrics.entropy ?? Number.NaN, 'entropy')
      expect(total(lengths) + 2 * total(prompts)).toBe(metrics.num_tokens)
    }
  })
})

describe('the gradient of', () => {
  const weighed = { use_weighting: true }
  const cases: [string, Partial<TrlOptions>][] = [
    ...dpoLossTypes.map((type): [string, Partial<TrlOptions>] => [
      type,
      { loss_type: [type], label_smoothing: 0.1, beta: 0.2 },
    ]),
    ['hinge with WPO, which TRL cannot differentiate', { loss_type: ['hinge'], ...weighed }],
  ]

  it.each(cases)('%s is its slope', (_, changes) => {
    const { inputs, options } = problemOf('ragged', changes)
    const { dlogps } = dpoLoss(inputs, options)
    // Unpaired comparisons have a slope at both ends, and each end sees the other as a constant.
    const share = changes.loss_type?.includes('aot_unpaired') ? 0 : 1
    for (const [k, slope] of dlogps.entries()) {
      const at = (step: number) =>
        dpoLoss({ ...inputs, logps: inputs.logps.with(k, (inputs.logps[k] ?? 0) + step) }, options)
      const measured = (at(1 / 256).loss - at(-1 / 256).loss) / (2 / 256)
      if (share === 1 || isInChosen(inputs, k)) expect(slope).toBeCloseTo(measured, 3)
    }
  })

  function isInChosen({ offsets }: DpoInputs, k: number): boolean {
    return offsets.findIndex((begin, row) => begin <= k && k < (offsets[row + 1] ?? 0)) % 2 === 0
  }
})

describe('pairs', () => {
  it('that have not moved from the reference cost log 2, and push the answers apart', () => {
    const { inputs, options } = problemOf('equal', {})
    const { loss, dlogps } = dpoLoss(inputs, options)
    expect(loss).toBeCloseTo(Math.LN2, 9)
    expect([...dlogps.subarray(0, 3)].every((slope) => slope < 0)).toBe(true)
    expect([...dlogps.subarray(3, 7)].every((slope) => slope > 0)).toBe(true)
  })

  it('add up, whatever the parts that they come in', () => {
    const { inputs, options } = problemOf('far', { loss_type: ['sigmoid', 'sft'], ld_alpha: 0.5 })
    const whole = dpoLoss(inputs, options)
    const parts = Array.from({ length: inputs.weights.length }, (_, i) => dpoLoss(pairOf(inputs, i), options))
    expect(total(parts.map(({ loss }) => loss))).toBeCloseTo(whole.loss, 9)
    expect(Float32Array.from(parts.flatMap(({ dlogps }) => [...dlogps]))).toEqual(whole.dlogps)
  })

  it('without opponents have no sorting loss', () => {
    const { inputs, options } = problemOf('ragged', {})
    const aot = { ...options, losses: [{ type: 'aot', weight: 1 } as const] }
    expect(() => dpoLoss(inputs, aot)).toThrow(
      /\[dpoLoss\] aot and aot_unpaired need opponents: give what rankPairs says/,
    )
  })

  function pairOf(inputs: DpoInputs, i: number): DpoInputs {
    const [begin = 0, middle = 0, end = 0] = inputs.offsets.subarray(2 * i)
    return {
      logps: inputs.logps.subarray(begin, end),
      refLogps: inputs.refLogps.subarray(begin, end),
      offsets: Int32Array.of(0, middle - begin, end - begin),
      weights: inputs.weights.subarray(i, i + 1),
      tokenWeights: inputs.tokenWeights?.subarray(i, i + 1),
    }
  }
})
