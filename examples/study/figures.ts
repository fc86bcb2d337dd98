/** The study's figures: averages with their intervals, and the curves of the training. Pure. */
import { lineChart } from '../../src/report/chart.js'
import { escapeHtml } from '../../src/report/html.js'
import type { Series } from '../../src/report/strokes.js'
import type { CurveName } from './curves.js'
import type { Line } from './lines.js'
import type { CellResult, Curve } from './result.js'
import type { Estimate } from './statistics.js'
import { short } from './text.js'

const width = 760
const left = 250
const rowHeight = 26

/** One mark per line: the mean, the interval over rooms thick, over seeds thin. */
export function averages(lines: readonly { readonly name: string; readonly estimate: Estimate }[]): string {
  if (lines.length === 0) return ''
  const bounds = lines.flatMap(({ estimate: { mean, rooms, seeds } }) => [mean, ...rooms, ...(seeds ?? [])])
  const [low, high] = [Math.min(...bounds) - 1, Math.max(...bounds) + 1]
  const at = (value: number) => (left + ((value - low) / (high - low)) * (width - left - 20)).toFixed(1)
  const height = lines.length * rowHeight + 30
  const ticks = Array.from({ length: 5 }, (_, i) => low + (i * (high - low)) / 4)
  const grid = ticks.map((tick) => {
    const x = at(tick)
    return `<line class="grid" x1="${x}" x2="${x}" y1="4" y2="${height - 22}"/><text x="${x}" y="${height - 6}" text-anchor="middle">${short(tick)}</text>`
  })
  const marks = lines.map(({ name, estimate }, i) => mark(name, estimate, 16 + i * rowHeight, at))
  return [
    '<figure class="dots"><figcaption><b>Average over the tasks</b></figcaption>',
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Average over the tasks, by method">${grid.join('')}${marks.join('')}</svg>`,
    '<p class="note">Points of 100. Thick: 95 % over test rooms; thin: 95 % over seeds.</p></figure>',
  ].join('')
}

function mark(name: string, { mean, rooms, seeds }: Estimate, y: number, at: (value: number) => string): string {
  const bar = ([low, high]: readonly [number, number], offset: number, thickness: number) =>
    `<line class="error" style="stroke-width:${thickness}" x1="${at(low)}" x2="${at(high)}" y1="${y + offset}" y2="${y + offset}"/>`
  const label = `<text class="name" x="${left - 14}" y="${y}" dy=".32em" text-anchor="end">${escapeHtml(name)}</text>`
  const bars = `${bar(rooms, 0, 3)}${seeds ? bar(seeds, 5, 1) : ''}`
  return `${label}<g class="c0">${bars}<circle cx="${at(mean)}" cy="${y}" r="4"><title>${escapeHtml(`${name}: ${short(mean)}`)}</title></circle></g>`
}

/** A quantity of several lines: every seed thinly, their mean boldly. */
export function curveChart(title: CurveName, lines: readonly Line[]): string {
  // Charts stand in groups of one method: what follows the last comma tells its lines apart.
  const labels = lines.map(({ name }) => name.split(', ').at(-1) ?? name)
  const series = lines.flatMap(({ results }, color): Series[] => {
    const label = labels[color] ?? ''
    const curves = results.flatMap(({ curves }: CellResult) => curves[title] ?? [])
    if (curves.length === 0) return []
    const seeds = curves.map((curve): Series => ({ ...curve, label, kind: 'thin', color }))
    return [...(seeds.length > 1 ? seeds : []), { ...meanCurve(curves), label, kind: 'mean', color }]
  })
  return lineChart({ title, series, include: [0] })
}

/** Point by point, as far as all of them go. */
function meanCurve(curves: readonly Curve[]): Curve {
  const shortest = [...curves].sort((a, b) => a.x.length - b.x.length)[0]
  const x = shortest?.x ?? []
  return { x, y: x.map((_, i) => curves.reduce((sum, { y }) => sum + (y[i] ?? 0), 0) / curves.length) }
}
