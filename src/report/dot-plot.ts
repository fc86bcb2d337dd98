/** The results as a dot plot with error bars: one line per kind of question, one mark per model or control. Pure. */
import { escapeHtml } from './html.js'
import type { Result, Score, Summary } from './summary.js'
import { standardError } from './table.js'

const width = 760
const left = 24
const right = 28
/** The name of a row stands above its marks: names may be long, pages narrow. */
const nameHeight = 28
/** Marks of one row are set apart a little, so that equal values stay visible. */
const step = 9

/** A figure; empty when no task is known. */
export function dotPlot(summary: Summary): string {
  const tasks = [...new Set(summary.results.flatMap(({ result }) => Object.keys(result.byTask)))].sort()
  if (tasks.length === 0) return ''
  const rows: readonly { name: string; pick: (result: Result) => Score | undefined }[] = [
    ...tasks.map((task) => ({ name: task.replaceAll('_', ' '), pick: (result: Result) => result.byTask[task] })),
    { name: 'all questions', pick: (result) => ({ ...result, count: result.count ?? summary.heldOutQuestions }) },
  ]
  const rowHeight = nameHeight + 14 + summary.results.length * step
  const height = rows.length * rowHeight + 30
  const grid = [0, 25, 50, 75, 100].map((tick) => {
    const x = at(tick / 100)
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height - 26}"/><text x="${x}" y="${height - 4}" text-anchor="middle">${tick} %</text>`
  })
  const marks = rows.map(({ name, pick }, i) => line(name, summary, pick, i * rowHeight))
  const keys = summary.results.map(({ name }, i) => ` <span class="key c${i}">${escapeHtml(name)}</span>`)
  return [
    `<figure class="dots"><figcaption><b>Accuracy by kind of question</b>${keys.join('')}</figcaption>`,
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Accuracy by kind of question">${grid.join('')}${marks.join('')}</svg>`,
    '<p class="note">Bars: one standard error.</p></figure>',
  ].join('')
}

function line(name: string, summary: Summary, pick: (result: Result) => Score | undefined, y: number): string {
  const marks = summary.results.map(({ name: model, result }, i) => {
    const score = pick(result)
    if (!score) return ''
    const offset = y + nameHeight + 8 + i * step
    return `<g class="c${i}">${errorBar(score, offset)}<circle cx="${at(score.accuracy)}" cy="${offset}" r="4"><title>${escapeHtml(`${model}: ${(100 * score.accuracy).toFixed(1)} %`)}</title></circle></g>`
  })
  return `<rect class="behind" x="0" y="${y}" width="${width}" height="${nameHeight}"/><text class="name" x="6" y="${y + nameHeight / 2}" dy=".32em">${escapeHtml(name)}</text>${marks.join('')}`
}

function errorBar(score: Score, y: number): string {
  const error = standardError(score)
  if (!Number.isFinite(error)) return ''
  return `<line class="error" x1="${at(score.accuracy - error)}" x2="${at(score.accuracy + error)}" y1="${y}" y2="${y}"/>`
}

function at(share: number): number {
  return Math.round(10 * (left + Math.max(0, Math.min(1, share)) * (width - left - right))) / 10
}
