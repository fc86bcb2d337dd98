/** The strokes of a chart as SVG paths: lines that break at gaps, bands, dots. Pure. */
import { type Curve, extremes } from './curve.js'

export interface Series {
  readonly label: string
  /** Steps, ascending. */
  readonly x: readonly number[]
  /** NaN leaves a gap. */
  readonly y: readonly number[]
  /**
   * `line`: the values faintly, their centred mean boldly. `mean`: only that mean. `dots`: every value, joined
   * (evaluations). `thin`: the mean thinly, one of several that another series stands for; not in legend and read-out.
   */
  readonly kind: 'line' | 'mean' | 'dots' | 'thin'
  /** Which colour; beyond the eighth they come again, dashed. Default: the place in the chart. */
  readonly color?: number
}

/** From values to pixels. */
export interface Scale {
  readonly min: number
  readonly max: number
  readonly at: (value: number) => number
}

/** Colours of the page; a series beyond them takes one again, dashed. */
export const colors = 8

/** The CSS classes of a series' strokes and key: its colour, its dashes, and a name of its own (r0, r1, …). */
export function strokeClass(color: number): string {
  const round = Math.floor(color / colors) % 3
  return `c${color % colors}${round > 0 ? ` d${round}` : ''} r${color}`
}

/** One series; `mean` is its smoothed curve. */
export function drawSeries(series: Series, mean: Curve, color: number, x: Scale, y: Scale): string {
  return `<g class="${strokeClass(color)}">${strokes(series, mean, x, y)}</g>`
}

function strokes(series: Series, mean: Curve, x: Scale, y: Scale): string {
  if (series.kind === 'dots') {
    const dots = series.y.map((value, i) =>
      Number.isFinite(value) ? `<circle cx="${px(x.at(series.x[i] ?? 0))}" cy="${px(y.at(value))}" r="3"/>` : '',
    )
    return `<path class="thin" d="${path(series, x, y)}"/>${dots.join('')}`
  }
  const weight = series.kind === 'thin' ? 'faint' : 'bold'
  const smooth = `<path class="${weight}" d="${path(mean, x, y)}"/>`
  return series.kind === 'line' ? raw(series, x, y) + smooth : smooth
}

function raw(series: Series, x: Scale, y: Scale): string {
  const found = extremes(series)
  if (!found) return `<path class="raw" d="${path(series, x, y)}"/>`
  const high = { x: found.x, y: found.high }
  return `<path class="band" d="${band(high, found.low, x, y)}"/>`
}

/** A path that breaks where a value is not finite; a lone point becomes a dot by its round cap. */
function path(curve: Curve, x: Scale, y: Scale): string {
  let pen = false
  return curve.y
    .map((value, i) => {
      if (!Number.isFinite(value)) {
        pen = false
        return ''
      }
      const at = `${px(x.at(curve.x[i] ?? 0))} ${px(y.at(value))}`
      const command = pen ? `L${at}` : `M${at}h0`
      pen = true
      return command
    })
    .join('')
}

/** One closed shape for each stretch without gaps. */
function band(above: Curve, below: readonly number[], x: Scale, y: Scale): string {
  const point = (i: number, values: readonly number[]): string =>
    `${px(x.at(above.x[i] ?? 0))} ${px(y.at(values[i] ?? 0))}`
  const shapes: string[] = []
  let stretch: number[] = []
  for (let i = 0; i <= above.x.length; i++) {
    if (Number.isFinite(above.y[i])) stretch.push(i)
    else if (stretch.length > 0) {
      const there = stretch.map((k) => point(k, above.y))
      const back = [...stretch].reverse().map((k) => point(k, below))
      shapes.push(`M${[...there, ...back].join('L')}Z`)
      stretch = []
    }
  }
  return shapes.join('')
}

/** A coordinate to a tenth of a unit. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}
