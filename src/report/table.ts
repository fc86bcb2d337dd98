/**
 * The table of results: one row per kind of question, one column per model or control, in per cent with the standard
 * error of a share, sqrt(p (1 - p) / n). Pure.
 */
import { escapeHtml } from './html.js'
import type { Result, Score, Summary } from './summary.js'

/** The table with its caption. */
export function resultTable(summary: Summary): string {
  const { results } = summary
  const tasks = [...new Set(results.flatMap(({ result }) => Object.keys(result.byTask)))].sort()
  const head = withGain(
    results.map(({ name }) => `<th scope="col">${escapeHtml(name)}</th>`),
    '<th scope="col">gain</th>',
    summary,
  )
  const rows = tasks.map((task) => row(label(task), summary, (result) => result.byTask[task]))
  const total = row('all questions', summary, (result) => ({
    ...result,
    count: result.count ?? summary.heldOutQuestions,
  }))
  return [
    '<div class="wide"><table class="results"><thead><tr><th scope="col">question</th><th scope="col">n</th>',
    `${head}</tr></thead><tbody>${rows.join('')}</tbody><tfoot>${total}</tfoot></table></div>`,
    '<p class="note">Accuracy in per cent ± one standard error. Gain: trained − base, in points; its error takes the two as',
    ' independent, which overstates it, because both answered the same questions. Blind: the best answer from the question',
    ' text alone. Grey: the frames replaced by flat grey.</p>',
  ].join('')
}

/** The standard error of a share, NaN without a count. */
export function standardError({ accuracy, count }: Score): number {
  return count ? Math.sqrt((accuracy * (1 - accuracy)) / count) : Number.NaN
}

/** Trained minus base with the error of the difference, both as shares; undefined without the two. */
export function gain(
  summary: Summary,
  pick: (result: Result) => Score | undefined,
): { value: number; error: number } | undefined {
  const [base, trained] = ['base', 'trained'].map((wanted) => {
    const found = summary.results.find(({ name }) => name === wanted)
    return found && pick(found.result)
  })
  if (!base || !trained) return undefined
  return { value: trained.accuracy - base.accuracy, error: Math.hypot(standardError(base), standardError(trained)) }
}

/** 0.628 as `62.8`, with ` ± 1.8` where the error is known. */
export function percent(value: number, error = Number.NaN): string {
  const shown = (100 * value).toFixed(1).replace('-', '−')
  return Number.isFinite(error) ? `${shown} <span class="se">± ${(100 * error).toFixed(1)}</span>` : shown
}

function row(name: string, summary: Summary, pick: (result: Result) => Score | undefined): string {
  const scores = summary.results.map(({ result }) => pick(result))
  const counts = scores.flatMap((score) => score?.count ?? [])
  const cells = scores.map((score) => `<td>${score ? percent(score.accuracy, standardError(score)) : '–'}</td>`)
  const difference = gain(summary, pick)
  const sign = difference && difference.value > 0 ? '+' : ''
  const last = difference ? `${sign}${percent(difference.value, difference.error)}` : '–'
  const count = counts.length > 0 ? String(Math.max(...counts)) : '–'
  const columns = withGain(cells, `<td>${last}</td>`, summary)
  return `<tr><th scope="row">${escapeHtml(name)}</th><td>${count}</td>${columns}</tr>`
}

/** The cells of a line with the gain after the trained model's. */
function withGain(cells: readonly string[], gainCell: string, { results }: Summary): string {
  const after = results.findIndex(({ name }) => name === 'trained') + 1
  return after === 0 ? cells.join('') : [...cells.slice(0, after), gainCell, ...cells.slice(after)].join('')
}

function label(task: string): string {
  return task.replaceAll('_', ' ')
}
