/** A table that is text until it is written as HTML or Markdown. */
import { escapeHtml } from '../html.js'
import { strokeClass } from '../strokes.js'

export interface TableRow {
  readonly name: string
  readonly cells: readonly string[]
  /** The colour of its curves, shown beside the name. */
  readonly color?: number
  /** One of several that the row above sums up. */
  readonly below?: boolean
}

export interface Table {
  /** The first is that of the names; a line break divides what is measured from which number of it. */
  readonly columns: readonly string[]
  readonly rows: readonly TableRow[]
  /** What the cells hold; text stands at the left. Default `numbers`. */
  readonly align?: 'numbers' | 'text'
  readonly note?: string
}

export function htmlTable({ columns, rows, align, note }: Table): string {
  const head = columns.map((column) => `<th scope="col">${escapeHtml(column).replace('\n', '<br>')}</th>`).join('')
  const body = rows.map(({ name, cells, color, below }) => {
    const key = color === undefined ? '' : ` key ${strokeClass(color)}`
    return `<tr${below ? ' class="below"' : ''}><th scope="row"><span class="of${key}">${escapeHtml(name)}</span></th>${cells.map(htmlCell).join('')}</tr>`
  })
  const table = `<table class="results${align === 'text' ? ' words' : ''}"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`
  return `<div class="wide">${table}</div>${note ? `<p class="note">${escapeHtml(note)}</p>` : ''}`
}

/** The spread after a value stands back. */
function htmlCell(text: string): string {
  const [value = '', ...rest] = text.split(' ± ')
  const spread = rest.length > 0 ? ` <span class="se">± ${escapeHtml(rest.join(' ± '))}</span>` : ''
  return `<td>${escapeHtml(value)}${spread}</td>`
}

export function markdownTable({ columns, rows, align, note }: Table): string {
  const rule = columns.map((_, i) => (i > 0 && align !== 'text' ? '---:' : '---'))
  const body = rows.map(({ name, cells, below }) => [below ? `– ${name}` : name, ...cells])
  const lines = [columns.map((column) => column.replace('\n', ', ')), rule, ...body].map(
    (cells, i) => `| ${(i === 1 ? cells : cells.map(markdownText)).join(' | ')} |`,
  )
  return `${lines.join('\n')}\n${note ? `\n${markdownText(note)}\n` : ''}`
}

/** Any text on one line of Markdown, as it is and not as markup. */
export function markdownText(text: string): string {
  return text
    .replace(/[\\`*_{}[\]<>|#]/g, '\\$&')
    .replace(/\s*\n\s*/g, ' ')
    .trim()
}
