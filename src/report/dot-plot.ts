/** The results as a dot plot with error bars: one line per kind of question, one mark per model or control. Pure. */
import { escapeHtml } from './html.js'
import type { Result, Score, Summary } from './summary.js'
import { standardError } from './table.js'

const width = 760
const left = 170
const right = 20
const rowHeight = 46

/** A figure; empty when no task is known. */
export function dotPlot(summary: Summary): string {
  const tasks = [...new Set(summary.results.flatMap(({ result }) => Object.keys(result.byTask)))].sort()
  if (tasks.length === 0) return ''
  const rows: readonly { name: string; pick: (result: Result) => Score | undefined }[] = [
    ...tasks.map((task) => ({ name: task.replaceAll('_', ' '), pick: (result: Result) => result.byTask[task] })),
    { name: 'all questions', pick: (result) => ({ ...result, count: result.count ?? summary.heldOutQuestions }) },
  ]
  const height = rows.length * rowHeight + 34
  const grid = [0, 25, 50, 75, 100].map((tick) => {
    const x = at(tick / 100)
    return `<line class="grid" x1="${x}" x2="${x}" y1="4" y2="${height - 26}"/><text x="${x}" y="${height - 8}" text-anchor="middle">${tick} %</text>`
  })
  const marks = rows.map(({ name, pick }, i) => line(name, summary, pick, 24 + i * rowHeight))
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
    // Marks of one line are set apart a little, so that equal values stay visible.
    const offset = y + (i - (summary.results.length - 1) / 2) * 5.5
    return `<g class="c${i}">${errorBar(score, offset)}<circle cx="${at(score.accuracy)}" cy="${offset}" r="4"><title>${escapeHtml(`${model}: ${(100 * score.accuracy).toFixed(1)} %`)}</title></circle></g>`
  })
  return `<text class="name" x="${left - 14}" y="${y}" dy=".32em" text-anchor="end">${escapeHtml(name)}</text>${marks.join('')}`
}

function errorBar(score: Score, y: number): string {
  const error = standardError(score)
  if (!Number.isFinite(error)) return ''
  return `<line class="error" x1="${at(score.accuracy - error)}" x2="${at(score.accuracy + error)}" y1="${y}" y2="${y}"/>`
}

function at(share: number): number {
  return Math.round(10 * (left + Math.max(0, Math.min(1, share)) * (width - left - right))) / 10
}
