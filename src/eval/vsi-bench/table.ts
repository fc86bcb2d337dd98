/** A result as text for people, JSON, CSV or LaTeX. Pure; numbers in points of 100. */
import type { Evaluation, Intervals, Subset } from './evaluate.js'
import { type PublishedRow, published, publishedQuestions } from './published.js'
import type { Scores } from './score.js'
import { type TaskName, taskLabels, taskNames } from './tasks.js'

export const formats = ['text', 'json', 'csv', 'latex'] as const
export type Format = (typeof formats)[number]

/** What is printed around the numbers. */
export interface Report {
  /** The model's name, or the predictions' file. */
  readonly name: string
  readonly evaluation: Evaluation
  /** Which questions were asked; default all that there are. */
  readonly subset?: 'full' | 'debiased'
  /** How the answers came about; goes into the JSON as it is. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Whether published results can stand beside it. */
  readonly isBenchmark: boolean
}

type Row = Pick<PublishedRow, 'name' | 'average' | 'tasks'>

/** The whole output, with its final line break. */
export function formatReport(report: Report, format: Format): string {
  switch (format) {
    case 'text':
      return textReport(report)
    case 'json':
      return `${JSON.stringify(jsonReport(report), null, 2)}\n`
    case 'csv':
      return csvReport(report)
    case 'latex':
      return latexReport(report)
  }
}

function textReport(report: Report): string {
  const { name, evaluation, settings, isBenchmark } = report
  const { scores, debiased, questions, unreadable, warnings } = evaluation
  const unread = taskNames.filter((task) => unreadable[task] > 0)
  const parts = [
    `${titleOf(report)}, ${questions} questions; points of 100, 95 % lie between from and to (scenes drawn again)`,
    ...textTable(name, evaluation),
    ...(isBenchmark ? publishedLines(questions) : []),
    ...(debiased ? ['', `Debiased subset, ${debiased.questions} questions`, ...textTable(name, debiased)] : []),
    '',
    ...(settings.rule === undefined || settings.rule === 'published'
      ? []
      : [`rule: ${settings.rule}, not the published one`]),
    `mean over all questions (micro): ${cell(scores.microAverage)}`,
    ...(unread.length > 0
      ? [`no letter or number found in: ${unread.map((task) => `${taskLabels[task]} ${unreadable[task]}`).join(', ')}`]
      : []),
    ...warnings.map((warning) => `warning: ${warning}`),
  ]
  return `${parts.join('\n')}\n`
}

function titleOf({ isBenchmark, subset }: Report): string {
  return `${isBenchmark ? 'VSI-Bench' : "VSI-Bench's scoring"}${subset === 'debiased' ? ' Debiased' : ''}`
}

function textTable(name: string, subset: Subset): string[] {
  const { controls, counts, scores, intervals } = subset
  const wide = Math.max(32, name.length)
  const line = (head: string, cells: readonly string[]): string =>
    `${head.padEnd(wide)}  ${cells.map((text) => text.padStart(9)).join(' ')}`.trimEnd()
  return [
    line('', ['Average', ...taskNames.map((task) => taskLabels[task])]),
    line('questions', [String(subset.questions), ...taskNames.map((task) => String(counts[task]))]),
    line(name, numbers(rowOf(name, scores))),
    line('  from', bounds(intervals, 0)),
    line('  to', bounds(intervals, 1)),
    ...controls.map((control) => line(control.name, numbers(rowOf(control.name, control.scores)))),
  ]
}

function publishedLines(questions: number): string[] {
  const note = questions === publishedQuestions ? '' : `; on all ${publishedQuestions} questions, not on these`
  const line = (row: Row): string =>
    `${row.name.padEnd(32)}  ${numbers(row)
      .map((text) => text.padStart(9))
      .join(' ')}`
  return [`published (arXiv 2504.00883, 2412.14171)${note}`, ...published.filter(({ main }) => main).map(line)]
}

function jsonReport({ name, evaluation, settings, isBenchmark }: Report): object {
  const { debiased, unreadable, warnings } = evaluation
  return {
    benchmark: 'vsi-bench',
    name,
    ...jsonSubset(evaluation),
    debiased: debiased ? jsonSubset(debiased) : null,
    unreadable,
    warnings,
    settings,
    published: isBenchmark ? published.map(({ name: model, average, tasks }) => ({ name: model, average, tasks })) : [],
  }
}

function jsonSubset({ questions, counts, scores, intervals, controls }: Subset): object {
  return {
    ...scores,
    questions,
    counts,
    intervals: { level: 95, ...intervals },
    blind: controls.map((control) => ({ name: control.name, ...control.scores })),
  }
}

function csvReport({ name, evaluation, isBenchmark }: Report): string {
  const { debiased, scores, intervals, controls } = evaluation
  const lines = [
    ['name', 'average', ...taskNames],
    csvRow(rowOf(name, scores)),
    [quoted(`${name}: from`), ...bounds(intervals, 0, exact)],
    [quoted(`${name}: to`), ...bounds(intervals, 1, exact)],
    ...controls.map((control) => csvRow(rowOf(control.name, control.scores))),
    ...(debiased ? [csvRow(rowOf(`${name}: Debiased`, debiased.scores))] : []),
    ...(debiased?.controls ?? []).map((control) => csvRow(rowOf(`${control.name}: Debiased`, control.scores))),
    ...(isBenchmark ? published.map((row) => csvRow({ ...row, name: `published: ${row.name}` })) : []),
  ]
  return lines.map((cells) => `${cells.join(',')}\n`).join('')
}

function csvRow(row: Row): string[] {
  return [quoted(row.name), ...numbers(row, exact)]
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A booktabs table; the best of each column among the rows above the last rule is not marked: that is the author's choice. */
function latexReport(report: Report): string {
  const { name, evaluation, isBenchmark } = report
  const { debiased, scores, controls } = evaluation
  const line = (row: Row): string => `${escaped(row.name)} & ${numbers(row).join(' & ')} \\\\`
  const own = [rowOf(name, scores), ...(debiased ? [rowOf(`${name} (Debiased)`, debiased.scores)] : [])]
  const blind = controls.map((control) => rowOf(control.name, control.scores))
  const others = isBenchmark ? published.filter(({ main }) => main) : []
  const groups = [own, blind, others].filter((rows) => rows.length > 0).map((rows) => rows.map(line).join('\n'))
  return [
    `% ${titleOf(report)}, ${evaluation.questions} questions${isBenchmark ? `; published rows are on all ${publishedQuestions}` : ''}`,
    `\\begin{tabular}{l${'r'.repeat(taskNames.length + 1)}}`,
    '\\toprule',
    `Model & ${['Avg', ...taskNames.map((task) => taskLabels[task])].join(' & ')} \\\\`,
    '\\midrule',
    groups.join('\n\\midrule\n'),
    '\\bottomrule',
    '\\end{tabular}\n',
  ].join('\n')
}

const special: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
}

function escaped(text: string): string {
  return text.replace(/[&%$#_{}]/g, '\\$&').replace(/\\(?![&%$#_{}])|[~^]/g, (found) => special[found] ?? found)
}

function rowOf(name: string, { average, tasks }: Scores): Row {
  return { name, average, tasks }
}

function numbers({ average, tasks }: Row, format: (value: number | null) => string = cell): string[] {
  return [average, ...taskNames.map((task) => tasks[task])].map(format)
}

function bounds({ average, tasks }: Intervals, side: 0 | 1, format: (value: number | null) => string = cell): string[] {
  return [average, ...taskNames.map((task: TaskName) => tasks[task])].map((span) => format(span?.[side] ?? null))
}

function cell(value: number | null): string {
  return value === null ? '-' : value.toFixed(1)
}

function exact(value: number | null): string {
  return value === null ? '' : String(value)
}
