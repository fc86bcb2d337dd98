/** TRL's metrics of a GRPO loss from log-probabilities alone: KL, clip ratios, vespo's weight. */
import type { Metrics } from '../types.js'
import { type GrpoInputs, logRatioAt, type Row, readRow, tokenTerms } from './grpo.js'
import type { GrpoOptions } from './grpo-options.js'

/** A mean and how many things it is over, so that parts of a batch add up. */
export interface Measured {
  readonly value: number
  readonly count: number
}

/** The metrics by TRL's names; those that end in `_min` and `_max` are extremes, not means. */
export function grpoMetrics(inputs: GrpoInputs, options: GrpoOptions): Metrics {
  const measured = Object.entries(measureGrpo(inputs, options))
  return Object.fromEntries(measured.map(([name, { value }]) => [name, value]))
}

export function measureGrpo(inputs: GrpoInputs, options: GrpoOptions): Readonly<Record<string, Measured>> {
  const rows = Array.from({ length: inputs.offsets.length - 1 }, (_, row) => readRow(inputs, options, row))
  const { beta, surrogate } = options
  const klAt = (k: number, row: Row) => tokenTerms(inputs, options, row, k).kl.value
  const tokens = rows.flatMap((row) => row.tokens.map((k) => ({ row, k })))
  return {
    ...(beta === 0 ? {} : { kl: meanOf(tokens.map(({ row, k }) => klAt(k, row))) }),
    ...(inputs.entropy ? { entropy: meanOf(tokens.map(({ k }) => inputs.entropy?.[k] ?? 0)) } : {}),
    ...(surrogate === 'clip' ? clipMetrics(inputs, options, rows) : {}),
    ...(surrogate === 'cispo' ? { cispo_clip_ratio: cispoClipped(inputs, options, rows) } : {}),
    ...(surrogate === 'vespo' ? { 'vespo/phi_seq_mean': meanOf(rows.map((row) => row.sequenceWeight)) } : {}),
  }
}

/** Ratios that the clip holds back: below with A < 0, above with A > 0. */
function clipMetrics(inputs: GrpoInputs, options: GrpoOptions, rows: readonly Row[]): Record<string, Measured> {
  const { epsilonLow, epsilonHigh, delta = Number.POSITIVE_INFINITY } = options
  const isLow = ({ ratio, advantage }: Ratio) => Math.min(ratio, delta) < 1 - epsilonLow && advantage < 0
  const isHigh = ({ ratio, advantage }: Ratio) => Math.min(ratio, delta) > 1 + epsilonHigh && advantage > 0
  const ratios = rows.map((_, row) => ratiosOf(inputs, options, rows, row))
  const low = ratios.map((row) => meanOf(row.map((ratio) => Number(isLow(ratio)))))
  const high = ratios.map((row) => meanOf(row.map((ratio) => Number(isHigh(ratio)))))
  const filled = (parts: readonly Measured[]) => parts.filter(({ count }) => count > 0).map(({ value }) => value)
  return {
    'clip_ratio/low_mean': together(low),
    'clip_ratio/low_min': { value: filled(low).length === 0 ? 0 : Math.min(...filled(low)), count: 1 },
    'clip_ratio/high_mean': together(high),
    'clip_ratio/high_max': { value: Math.max(0, ...filled(high)), count: 1 },
    'clip_ratio/region_mean': { ...together(low), value: together(low).value + together(high).value },
  }
}

function cispoClipped(inputs: GrpoInputs, options: GrpoOptions, rows: readonly Row[]): Measured {
  const ratios = rows.flatMap((_, row) => ratiosOf(inputs, options, rows, row))
  return meanOf(ratios.map(({ ratio, advantage }) => Number(ratio > options.epsilonHigh && advantage > 0)))
}

interface Ratio {
  readonly ratio: number
  readonly advantage: number
}

/** The ratios of a completion: one for each token, or one for all at sequence level (1 for a completion without tokens). */
function ratiosOf(inputs: GrpoInputs, options: GrpoOptions, rows: readonly Row[], index: number): Ratio[] {
  const { tokens, logRatio } = rows[index] ?? { tokens: [], logRatio: 0 }
  if (options.importanceSamplingLevel === 'sequence') {
    return [{ ratio: Math.exp(logRatio), advantage: inputs.advantages[inputs.offsets[index] ?? 0] ?? 0 }]
  }
  return tokens.map((k) => ({ ratio: Math.exp(logRatioAt(inputs, k)), advantage: inputs.advantages[k] ?? 0 }))
}

function meanOf(values: readonly number[]): Measured {
  return { value: values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length), count: values.length }
}

/** The mean over all that the parts are means of. */
function together(parts: readonly Measured[]): Measured {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  return { value: parts.reduce((sum, part) => sum + part.value * part.count, 0) / Math.max(1, count), count }
}
