/**
 * JSON Lines files as datasets: one row a line, all checked when the file is opened, so that a bad row costs no run. `jsonl`
 * keeps the rows in memory, `indexedJsonl` leaves them on disk and keeps 8 bytes for each.
 */
import { closeSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Example } from '../types.js'
import { type CheckedDataset, emptyData, RowGate, type RowOptions, readExample, type Skipped } from './rows.js'
import { fileLines, type Line, openText, parseLine } from './stream-lines.js'

/**
 * Opens a JSON Lines file, in any of the row forms. Throws an InputError that names the file, the line and the field of the
 * first bad row, or skips it.
 */
export function jsonl(path: string, options: RowOptions = {}): CheckedDataset {
  const rows: Example[] = []
  const lines: number[] = []
  const skipped = readRows(path, options, (example, { number }) => {
    rows.push(example)
    lines.push(number)
  })
  return {
    length: rows.length,
    files: [resolve(path)],
    skipped,
    get(index) {
      const row = rows[index]
      if (!row) throw new RangeError(`[${path}] expected an index below ${rows.length}, got ${index}`)
      return row
    },
    where: (index) => `${path}:${lines[index]}`,
  }
}

/**
 * A JSON Lines file as a dataset whose rows stay on disk: all are checked when it is opened, and read again when asked
 * for. Throws an InputError that names the file, the line and the field of the first bad row, or skips it.
 */
export function indexedJsonl(path: string, options: RowOptions = {}): CheckedDataset {
  const index = new RowIndex()
  const skipped = readRows(path, options, (_, { offset, number }) => index.add(offset, number))
  return {
    length: index.length,
    files: [resolve(path)],
    skipped,
    get(row) {
      if (!(row >= 0 && row < index.length)) {
        throw new RangeError(`[${path}] expected an index below ${index.length}, got ${row}`)
      }
      const where = `${path}:${index.lineOf(row)}`
      return readExample({ value: parseLine(lineAt(path, index.offsetOf(row)), where), where }, path, options)
    },
    where: (row) => `${path}:${index.lineOf(row)}`,
  }
}

/** Gives `keep` every row that can be used, with its line. */
function readRows(path: string, options: RowOptions, keep: (example: Example, line: Line) => void): Skipped {
  const gate = new RowGate(options)
  let used = 0
  for (const line of fileLines(path)) {
    const where = `${path}:${line.number}`
    const example = gate.pass(() => readExample({ value: parseLine(line.bytes, where), where }, path, options))
    if (example === undefined) continue
    keep(example, line)
    used += 1
  }
  const skipped = gate.close(path, used)
  if (used === 0) throw emptyData(path, skipped)
  return skipped
}

const blockRows = 65_536

/** Byte offsets of rows in blocks, and the places where line numbers run ahead of row numbers. */
class RowIndex {
  length = 0
  private readonly blocks: Float64Array[] = []
  /** From row `row` on, the line number is the row's plus `ahead`. */
  private readonly gaps: { readonly row: number; readonly ahead: number }[] = []

  add(offset: number, line: number): void {
    if (this.length % blockRows === 0) this.blocks.push(new Float64Array(blockRows))
    const block = this.blocks.at(-1)
    if (block) block[this.length % blockRows] = offset
    const ahead = line - this.length
    if (ahead !== (this.gaps.at(-1)?.ahead ?? 1)) this.gaps.push({ row: this.length, ahead })
    this.length += 1
  }

  offsetOf(row: number): number {
    return this.blocks[Math.floor(row / blockRows)]?.[row % blockRows] ?? 0
  }

  lineOf(row: number): number {
    let [low, high] = [0, this.gaps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.gaps[middle]?.row ?? 0) <= row) low = middle + 1
      else high = middle
    }
    return row + (this.gaps[low - 1]?.ahead ?? 1)
  }
}

/** The line that begins at an offset. */
function lineAt(path: string, offset: number): Buffer {
  const file = openText(path)
  try {
    const parts: Buffer[] = []
    for (let size = 4096, at = offset; ; size *= 2) {
      const part = Buffer.allocUnsafe(size)
      const count = readSync(file, part, 0, size, at)
      const end = part.subarray(0, count).indexOf(0x0a)
      parts.push(part.subarray(0, end < 0 ? count : end))
      if (end >= 0 || count === 0) return Buffer.concat(parts)
      at += count
    }
  } finally {
    closeSync(file)
  }
}
