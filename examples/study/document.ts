/** The report as blocks that both HTML and Markdown are written from. Pure. */
import { escapeHtml } from '../../src/report/html.js'
import { readoutScript } from '../../src/report/script.js'
import { style } from '../../src/report/style.js'

export type Block =
  | { readonly kind: 'section'; readonly title: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** Markup; Markdown leaves figures out. */
  | { readonly kind: 'figures'; readonly svg: readonly string[] }

export interface Document {
  readonly title: string
  readonly lede: string
  readonly blocks: readonly Block[]
}

/** One file that needs nothing beside it. */
export function toHtml({ title, lede, blocks }: Document): string {
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title><style>${style}${tableStyle}</style></head><body><main>`,
    `<header><p class="kicker">vsgrpo study</p><h1>${escapeHtml(title)}</h1><p class="lede">${escapeHtml(lede)}</p></header>`,
    ...blocks.map(blockHtml),
    `</main><script>${readoutScript}</script></body></html>\n`,
  ].join('\n')
}

export function toMarkdown({ title, lede, blocks }: Document): string {
  return `${[`# ${title}`, lede, ...blocks.map(blockMarkdown).filter((part) => part !== '')].join('\n\n')}\n`
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'section':
      return `<h2>${escapeHtml(block.title)}</h2>`
    case 'text':
      return `<p>${escapeHtml(block.text)}</p>`
    case 'figures':
      return `<div class="charts">${block.svg.join('')}</div>`
    case 'table':
      return tableHtml(block.head, block.rows)
  }
}

const tableStyle = `
.results{font-size:.8rem;margin-bottom:18px}.results th,.results td{padding:5px 8px}
.sentences th,.sentences thead th{color:var(--ink);width:30%}
.sentences thead th{color:var(--soft);width:auto}
.sentences td:nth-child(2){min-width:11ch}
`

/** Tables of numbers are set in columns, tables of sentences are not. */
function tableHtml(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumeric = rows.every((row) => row.slice(1).every((cell) => cell.length < 24))
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')
  const body = rows.map(
    (row) => `<tr><th scope="row">${escapeHtml(row[0] ?? '')}</th>${cells('td', row.slice(1))}</tr>`,
  )
  return `<div class="wide"><table class="${isNumeric ? 'results' : 'sentences'}"><thead><tr>${cells('th', head)}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

function blockMarkdown(block: Block): string {
  switch (block.kind) {
    case 'section':
      return `## ${block.title}`
    case 'text':
      return block.text
    case 'figures':
      return ''
    case 'table':
      return tableMarkdown(block.head, block.rows)
  }
}

function tableMarkdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
