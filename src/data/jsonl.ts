/** A JSON Lines file as a dataset: one row a line, all checked when the file is opened, so that a bad row costs no run. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { InputError, messageOf } from '../errors.js'
import type { Example } from '../types.js'
import type { Dataset } from './dataset.js'
import { parseRow } from './row.js'

export interface JsonlOptions {
  /** Folder that relative media paths start from. Default: the file's own. */
  readonly mediaRoot?: string
}

/** Opens a JSON Lines file; throws an InputError that names the file, the line and the field of the first bad row. */
export function jsonl(path: string, options: JsonlOptions = {}): Dataset {
  const mediaRoot = resolve(options.mediaRoot ?? dirname(path))
  const rows: Example[] = []
  const lines: number[] = []
  for (const [index, line] of readLines(path).entries()) {
    if (line.trim() === '') continue
    const where = `${path}:${index + 1}`
    rows.push(parseRow(parseJson(line, where), { where, mediaRoot }))
    lines.push(index + 1)
  }
  if (rows.length === 0)
    throw new InputError(`${path}: expected at least one row, got an empty file`, { code: 'ERR_VSGRPO_DATA' })
  return {
    length: rows.length,
    get(index) {
      const row = rows[index]
      if (!row) throw new RangeError(`[${path}] expected an index below ${rows.length}, got ${index}`)
      return row
    },
    where: (index) => `${path}:${lines[index]}`,
  }
}

/** Lines without byte order mark and carriage returns. Only \n ends a line: U+2028 may stand inside a JSON string. */
function readLines(path: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${messageOf(error)}; give the path of a JSON Lines file`, {
      code: 'ERR_VSGRPO_DATA',
      cause: error,
    })
  }
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    // The parser quotes the line, whatever is in it.
    const reason = messageOf(error).replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
    throw new InputError(`${where}: not a JSON object: ${reason}; write one whole object per line`, {
      code: 'ERR_VSGRPO_DATA',
      cause: error,
    })
  }
}
