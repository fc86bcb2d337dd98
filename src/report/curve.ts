/** Arithmetic of curves: means around each value, fewer points, round ticks. NaN is a gap everywhere. Pure. */
import { short } from '../log/format.js'

/** More points than this are drawn as their mean within the band of their extremes. */
const maxPoints = 400

/** Points within the averaging window of a curve of `count` points: a twentieth, odd, 1 below 20 points. */
export function smoothingWindow(count: number): number {
  return count < 20 ? 1 : 2 * Math.floor(count / 40) + 1
}

/** Round numbers that cover [min, max] in about `count` steps of 1, 2 or 5 times a power of ten. */
export function ticks(min: number, max: number, count: number): number[] {
  const rough = (max - min) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  const first = Math.ceil(min / step - 1e-9)
  const last = Math.floor(max / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Ticks as text, short where that keeps them apart. */
export function tickLabels(values: readonly number[]): string[] {
  const labels = values.map(short)
  if (new Set(labels).size === labels.length) return labels
  const step = Math.abs((values[1] ?? 0) - (values[0] ?? 0))
  return values.map((value) => value.toFixed(Math.min(20, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)))))
}

export interface Curve {
  readonly x: readonly number[]
  readonly y: readonly number[]
}

/**
 * Means of the values within `window` points around each, at `maxPoints` places at most; NaN is left out, and stays NaN
 * where nothing is near.
 */
export function smoothed({ x, y }: Curve, window: number): Curve {
  const half = Math.floor(window / 2)
  const parts = blocks(y.length)
  return {
    x: parts.map(([start, end]) => mean(x.slice(start, end))),
    y: parts.map(([start, end]) => mean(y.slice(Math.max(0, start - half), end + half))),
  }
}

/** The extremes of a curve of more than `maxPoints` points, each for several of them; undefined for a shorter one. */
export function extremes({ x, y }: Curve): { x: number[]; low: number[]; high: number[] } | undefined {
  if (y.length <= maxPoints) return undefined
  const parts = blocks(y.length)
  const finite = parts.map(([start, end]) => y.slice(start, end).filter(Number.isFinite))
  return {
    x: parts.map(([start, end]) => mean(x.slice(start, end))),
    low: finite.map((part) => (part.length > 0 ? low(part) : Number.NaN)),
    high: finite.map((part) => (part.length > 0 ? high(part) : Number.NaN)),
  }
}

/** Stretches [start, end) of equal length, at most `maxPoints` of them. */
function blocks(count: number): [number, number][] {
  const per = Math.ceil(count / maxPoints)
  return Array.from({ length: per > 0 ? Math.ceil(count / per) : 0 }, (_, i) => [
    i * per,
    Math.min(count, (i + 1) * per),
  ])
}

export function mean(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite)
  return finite.length > 0 ? finite.reduce((sum, value) => sum + value, 0) / finite.length : Number.NaN
}

export function low(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

export function high(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
}
