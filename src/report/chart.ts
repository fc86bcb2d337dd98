/**
 * Line charts as SVG text. Pure: numbers in, markup out. Colours come from the page's CSS (classes c0, c1, …), so that
 * one chart serves light and dark. Every chart carries its numbers for the read-out that the page's script shows.
 */
import { short } from '../log/format.js'
import { centredMean, high, low, smoothingWindow, type Thinned, thin, ticks } from './curve.js'
import { escapeHtml } from './html.js'

export interface Series {
  readonly label: string
  /** Steps, ascending. */
  readonly x: readonly number[]
  /** NaN leaves a gap. */
  readonly y: readonly number[]
  /** `line`: the values faintly, their centred mean boldly. `dots`: every value, joined (evaluations). */
  readonly kind: 'line' | 'dots'
}

export interface Chart {
  readonly title: string
  readonly note?: string
  readonly series: readonly Series[]
  /** Keep these values in view, e.g. 0 for a KL. */
  readonly include?: readonly number[]
  /** False: draw the values themselves. Default true. */
  readonly smooth?: boolean
}

const size = { width: 520, height: 240 }
const margin = { left: 52, right: 14, top: 10, bottom: 34 }

interface Scale {
  readonly min: number
  readonly max: number
  readonly at: (value: number) => number
}

/** A figure with its caption, or an empty string when no series has a finite value. */
export function lineChart(chart: Chart): string {
  const series = chart.series.filter((candidate) => candidate.y.some(Number.isFinite))
  if (series.length === 0) return ''
  const x = xScale(series.flatMap((s) => s.x))
  const y = yScale([...series.flatMap((s) => s.y.filter(Number.isFinite)), ...(chart.include ?? [])])
  const drawn = series.map((s) => drawSeries(s, chart.series.indexOf(s), windowOf(chart, s), x, y)).join('')
  return [
    `<figure class="chart"><figcaption><b>${escapeHtml(chart.title)}</b>${legend(chart, series)}</figcaption>`,
    `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(`${chart.title} by step`)}" data-chart="${escapeHtml(readout(series, x, y))}">`,
    axes(x, y),
    drawn,
    `<line class="cursor" visibility="hidden" y1="${margin.top}" y2="${size.height - margin.bottom}"/></svg>`,
    `<p class="note"><output></output>${escapeHtml(notes(chart, series))}</p></figure>`,
  ].join('')
}

function xScale(values: readonly number[]): Scale {
  const min = low(values)
  const max = Math.max(high(values), min + 1)
  const inner = size.width - margin.left - margin.right
  return { min, max, at: (value) => margin.left + ((value - min) / (max - min)) * inner }
}

function yScale(values: readonly number[]): Scale {
  const lowest = low(values)
  const highest = high(values)
  // A flat curve gets room around it, so that it lies in the middle.
  const pad = highest > lowest ? (highest - lowest) * 0.06 : Math.abs(highest) * 0.1 || 1
  const [min, max] = [lowest === 0 ? 0 : lowest - pad, highest + pad]
  const inner = size.height - margin.top - margin.bottom
  return { min, max, at: (value) => size.height - margin.bottom - ((value - min) / (max - min)) * inner }
}

function axes(x: Scale, y: Scale): string {
  const bottom = size.height - margin.bottom
  const right = size.width - margin.right
  const horizontal = ticks(y.min, y.max, 5).map((value) => {
    const at = px(y.at(value))
    return `<line class="grid" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${margin.left - 7}" y="${at}" dy=".32em" text-anchor="end">${short(value)}</text>`
  })
  const vertical = ticks(x.min, x.max, 6)
    .filter(Number.isInteger)
    .map((value) => {
      const at = px(x.at(value))
      return `<line class="tick" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/><text x="${at}" y="${bottom + 16}" text-anchor="middle">${value}</text>`
    })
  const label = `<text class="axis" x="${right}" y="${size.height - 4}" text-anchor="end">step</text>`
  return `${horizontal.join('')}<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>${vertical.join('')}${label}`
}

function windowOf(chart: Chart, series: Series): number {
  return series.kind === 'dots' || chart.smooth === false ? 1 : smoothingWindow(series.y.length)
}

function drawSeries(series: Series, index: number, window: number, x: Scale, y: Scale): string {
  const group = (inner: string): string => `<g class="c${index}">${inner}</g>`
  if (series.kind === 'dots') {
    const dots = series.y.map((value, i) =>
      Number.isFinite(value) ? `<circle cx="${px(x.at(series.x[i] ?? 0))}" cy="${px(y.at(value))}" r="3"/>` : '',
    )
    return group(`<path class="thin" d="${path(series.x, series.y, x, y)}"/>${dots.join('')}`)
  }
  const thinned = thin(series.x, series.y)
  const smooth = thin(series.x, centredMean(series.y, window))
  const raw = thinned.banded
    ? `<path class="band" d="${band(thinned, x, y)}"/>`
    : `<path class="raw" d="${path(thinned.x, thinned.mean, x, y)}"/>`
  return group(`${raw}<path class="bold" d="${path(smooth.x, smooth.mean, x, y)}"/>`)
}

/** A path that breaks where a value is not finite; a lone point becomes a dot by its round cap. */
function path(xs: readonly number[], ys: readonly number[], x: Scale, y: Scale): string {
  let pen = false
  return ys
    .map((value, i) => {
      if (!Number.isFinite(value)) {
        pen = false
        return ''
      }
      const at = `${px(x.at(xs[i] ?? 0))} ${px(y.at(value))}`
      const command = pen ? `L${at}` : `M${at}h0`
      pen = true
      return command
    })
    .join('')
}

/** One closed shape for each stretch without gaps. */
function band(points: Thinned, x: Scale, y: Scale): string {
  const point = (i: number, values: readonly number[]): string =>
    `${px(x.at(points.x[i] ?? 0))} ${px(y.at(values[i] ?? 0))}`
  const shapes: string[] = []
  let stretch: number[] = []
  for (let i = 0; i <= points.x.length; i++) {
    if (Number.isFinite(points.mean[i])) stretch.push(i)
    else if (stretch.length > 0) {
      const there = stretch.map((k) => point(k, points.high))
      const back = [...stretch].reverse().map((k) => point(k, points.low))
      shapes.push(`M${[...there, ...back].join('L')}Z`)
      stretch = []
    }
  }
  return shapes.join('')
}

function legend(chart: Chart, series: readonly Series[]): string {
  if (series.length < 2) return ''
  return series.map((s) => ` <span class="key c${chart.series.indexOf(s)}">${escapeHtml(s.label)}</span>`).join('')
}

function notes(chart: Chart, series: readonly Series[]): string {
  const window = Math.max(1, ...series.map((s) => windowOf(chart, s)))
  const broken = series.reduce((sum, s) => sum + s.y.filter((value) => !Number.isFinite(value)).length, 0)
  const smoothing = window > 1 ? `Bold: centred mean of ${window} steps.` : ''
  const missing = broken > 0 ? `${broken} ${broken === 1 ? 'value was' : 'values were'} not finite.` : ''
  return [chart.note, smoothing, missing].filter(Boolean).join(' ')
}

/** What the script needs to turn a pointer position into steps and values. */
function readout(series: readonly Series[], x: Scale, y: Scale): string {
  const rounded = (value: number): number | null => (Number.isFinite(value) ? Number(value.toPrecision(4)) : null)
  return JSON.stringify({
    left: margin.left,
    right: size.width - margin.right,
    x: [x.min, x.max],
    y: [y.min, y.max],
    series: series.map((s) => ({ label: s.label, x: s.x, y: s.y.map(rounded) })),
  })
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}
