/**
 * Line charts as SVG text. Pure: numbers in, markup out. Colours come from the page's CSS (classes c0, c1, …), so that
 * one chart serves light and dark. Every chart carries its numbers for the read-out that the page's script shows.
 */
import { type Curve, high, low, smoothed, smoothingWindow, tickLabels, ticks } from './curve.js'
import { escapeHtml } from './html.js'
import { drawSeries, px, type Scale, type Series, strokeClass } from './strokes.js'

export interface Chart {
  readonly title: string
  readonly note?: string
  readonly series: readonly Series[]
  /** Keep these values in view, e.g. 0 for a KL. */
  readonly include?: readonly number[]
  /** False: draw the values themselves. Default true. */
  readonly smooth?: boolean
  /** What x counts. Default `step`. */
  readonly unit?: string
  /** False: the page says whose colours these are. Default true. */
  readonly legend?: boolean
}

const size = { width: 520, height: 240 }
const margin = { left: 52, right: 14, top: 10, bottom: 40 }

/** A series with what the chart adds to it. */
interface Drawn {
  readonly series: Series
  readonly color: number
  /** Points that its mean is taken over; 1 = the values themselves. */
  readonly window: number
  readonly mean: Curve
}

/** A figure with its caption, or an empty string when no series has a finite value. */
export function lineChart(chart: Chart): string {
  const drawn = chart.series.flatMap((series, place) =>
    series.y.some(Number.isFinite) ? [drawnOf(series, series.color ?? place, chart)] : [],
  )
  if (drawn.length === 0) return ''
  const unit = chart.unit ?? 'step'
  const x = xScale(drawn.flatMap(({ series }) => series.x))
  const y = yScale([...drawn.flatMap(shown), ...(chart.include ?? [])])
  const strokes = drawn.map(({ series, mean, color }) => drawSeries(series, mean, color, x, y)).join('')
  return [
    `<figure class="chart"><figcaption><b>${escapeHtml(chart.title)}</b>${legend(chart, drawn)}</figcaption>`,
    `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(`${chart.title} by ${unit}`)}" data-chart="${escapeHtml(readout(drawn, unit, x, y))}">`,
    axes(x, y, unit),
    strokes,
    `<line class="cursor" visibility="hidden" y1="${margin.top}" y2="${size.height - margin.bottom}"/></svg>`,
    `<p class="note"><output></output>${escapeHtml(notes(chart, drawn))}</p></figure>`,
  ].join('')
}

function drawnOf(series: Series, color: number, { smooth = true }: Chart): Drawn {
  const window = smooth && series.kind !== 'dots' ? smoothingWindow(series.y.length) : 1
  return { series, color, window, mean: smoothed(series, window) }
}

/** The finite values that a series puts on paper. */
function shown({ series, mean }: Drawn): number[] {
  const raw = series.kind === 'line' || series.kind === 'dots'
  return (raw ? series.y : mean.y).filter(Number.isFinite)
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

function axes(x: Scale, y: Scale, unit: string): string {
  const bottom = size.height - margin.bottom
  const right = size.width - margin.right
  const rows = ticks(y.min, y.max, 5)
  const labels = tickLabels(rows)
  const horizontal = rows.map((value, i) => {
    const at = px(y.at(value))
    return `<line class="grid" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${margin.left - 7}" y="${at}" dy=".32em" text-anchor="end">${labels[i]}</text>`
  })
  const vertical = ticks(x.min, x.max, 6)
    .filter((value) => Number.isInteger(value) || unit !== 'step')
    .map((value) => {
      const at = px(x.at(value))
      return `<line class="tick" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/><text x="${at}" y="${bottom + 16}" text-anchor="middle">${value}</text>`
    })
  const label = `<text class="axis" x="${right}" y="${size.height - 3}" text-anchor="end">${escapeHtml(unit)}</text>`
  return `${horizontal.join('')}<line class="axis" x1="${margin.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>${vertical.join('')}${label}`
}

function legend(chart: Chart, drawn: readonly Drawn[]): string {
  if (drawn.length < 2 || chart.legend === false) return ''
  const named = drawn.filter(({ series }) => series.kind !== 'thin')
  return named
    .map(({ series, color }) => ` <span class="key ${strokeClass(color)}">${escapeHtml(series.label)}</span>`)
    .join('')
}

function notes(chart: Chart, drawn: readonly Drawn[]): string {
  const windows = drawn.map(({ window }) => window).filter((window) => window > 1)
  const [least, most] = [low(windows), high(windows)]
  const broken = drawn.reduce((sum, { series }) => sum + series.y.filter((value) => !Number.isFinite(value)).length, 0)
  const span = least === most ? String(most) : `${least} to ${most}`
  const smoothing = windows.length > 0 && chart.legend !== false ? `Bold: centred mean of ${span} steps.` : ''
  const missing = broken > 0 ? `${broken} ${broken === 1 ? 'value was' : 'values were'} not finite.` : ''
  return [chart.note, smoothing, missing].filter(Boolean).join(' ')
}

/** What the script needs to turn a pointer position into steps and values. */
function readout(drawn: readonly Drawn[], unit: string, x: Scale, y: Scale): string {
  const named = drawn.filter(({ series }) => series.kind !== 'thin')
  return JSON.stringify({
    left: margin.left,
    right: size.width - margin.right,
    unit,
    x: [x.min, x.max],
    y: [y.min, y.max],
    series: named.map(({ series, mean, color }) => {
      const points = series.kind === 'mean' ? mean : series
      return { label: series.label, key: strokeClass(color), x: points.x.map(tenth), y: points.y.map(rounded) }
    }),
  })
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}

function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null
}
