/** Arithmetic of curves: means around each value, fewer points, round ticks. NaN is a gap everywhere. Pure. */

/** More points than this are drawn as their mean within the band of their extremes. */
const maxPoints = 400

/** Mean of the values within `window` points around each; NaN is left out, and stays NaN where nothing is near. */
export function centredMean(values: readonly number[], window: number): number[] {
  const half = Math.floor(window / 2)
  return values.map((_, i) => mean(values.slice(Math.max(0, i - half), i + half + 1)))
}

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

/** A curve with at most `maxPoints` points; `banded` when each of them stands for several. */
export interface Thinned {
  readonly x: readonly number[]
  readonly mean: readonly number[]
  readonly low: readonly number[]
  readonly high: readonly number[]
  readonly banded: boolean
}

export function thin(x: readonly number[], y: readonly number[]): Thinned {
  const per = Math.ceil(y.length / maxPoints)
  const starts = Array.from({ length: Math.ceil(y.length / per) }, (_, i) => i * per)
  const parts = starts.map((start) => y.slice(start, start + per).filter(Number.isFinite))
  return {
    x: starts.map((start) => mean(x.slice(start, start + per))),
    mean: parts.map(mean),
    low: parts.map((part) => (part.length > 0 ? low(part) : Number.NaN)),
    high: parts.map((part) => (part.length > 0 ? high(part) : Number.NaN)),
    banded: per > 1,
  }
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
