/**
 * Rows of data files of any size, one at a time, and JSON Lines as a dataset that keeps 8 bytes per row in memory. A row
 * that cannot be used stops the reading, or is skipped, reported and counted; none is lost in silence.
 */
import { closeSync, readFileSync, readSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { InputError, messageOf } from '../errors.js'
import type { Example } from '../types.js'
import { adaptRow, type RowForm } from './adapters.js'
import type { Dataset } from './dataset.js'
import { parseRow } from './row.js'
import { checkShard } from './shard.js'
import { dataError, fileLines, openText, parseLine } from './stream-lines.js'

/** A row as the file has it. */
export interface RawRow {
  readonly value: unknown
  /** `file:line`, `file[index]` or `file row n`, for errors. */
  readonly where: string
}

export interface Skipped {
  readonly count: number
  /** What was wrong with the first of them, with file and line. */
  readonly first: readonly string[]
}

export interface RowOptions {
  /** Folder that relative media paths start from. Default: the file's own. */
  readonly mediaRoot?: string
  /** How the rows are written; default: told by each row's columns. */
  readonly form?: RowForm
  /** A row that cannot be used: `throw` (default) stops, `skip` leaves it out, counts it and tells `say`. */
  readonly badRows?: 'throw' | 'skip'
  /** Where skipped rows are told; default stderr. */
  readonly say?: (line: string) => void
}

export interface StreamOptions extends RowOptions {
  /** This process and how many there are: rows rank, rank + worldSize, … Default 0 of 1. */
  readonly rank?: number
  readonly worldSize?: number
}

/** A dataset that knows what it left out. */
export interface CheckedDataset extends Dataset {
  readonly skipped: Skipped
}

const shownSkips = 20

/** Decides about bad rows, and keeps count. */
export class RowGate {
  count = 0
  readonly first: string[] = []
  private readonly say: (line: string) => void

  constructor(private readonly options: Pick<RowOptions, 'badRows' | 'say'> = {}) {
    this.say = options.say ?? ((line) => void process.stderr.write(`${line}\n`))
  }

  /** What `read` returns; undefined when it throws an InputError and bad rows are skipped. */
  pass<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (this.options.badRows !== 'skip' || !(error instanceof InputError)) throw error
      this.count += 1
      if (this.first.length < shownSkips) {
        this.first.push(error.message)
        this.say(`skipped: ${error.message}`)
      }
      return undefined
    }
  }

  /** The total, told at the end. */
  close(path: string, used: number): Skipped {
    if (this.count > 0) this.say(`${path}: ${this.count} of ${this.count + used} rows skipped`)
    return { count: this.count, first: this.first }
  }
}

/** Reads one raw row as an Example; throws an InputError that names place and field. */
export function readExample(row: RawRow, path: string, options: RowOptions): Example {
  const mediaRoot = resolve(options.mediaRoot ?? dirname(path))
  return parseRow(adaptRow(row.value, { where: row.where, form: options.form }), { where: row.where, mediaRoot })
}

/** Rows of a JSON Lines file, or of a JSON file that is one array. Yields nothing for blank lines. */
export function* jsonRows(path: string): Generator<RawRow> {
  if (isJsonArray(path)) {
    for (const [index, value] of readArray(path).entries()) yield { value, where: `${path}[${index}]` }
    return
  }
  for (const { number, bytes } of fileLines(path)) {
    const where = `${path}:${number}`
    yield { value: parseLine(bytes, where), where }
  }
}

/** A pass over a JSON Lines file with constant memory. Between megabytes other work gets its turn. */
export async function* streamJsonl(path: string, options: StreamOptions = {}): AsyncGenerator<Example> {
  const { rank, worldSize } = checkShard({ rank: options.rank ?? 0, worldSize: options.worldSize ?? 1 })
  const gate = new RowGate(options)
  let index = 0
  let used = 0
  let resumeAt = 2 ** 20
  for (const { number, offset, bytes } of fileLines(path)) {
    if (index++ % worldSize !== rank) continue
    const where = `${path}:${number}`
    const example = gate.pass(() => readExample({ value: parseLine(bytes, where), where }, path, options))
    if (example === undefined) continue
    used += 1
    yield example
    if (offset < resumeAt) continue
    resumeAt = offset + 2 ** 20
    await new Promise((done) => setImmediate(done))
  }
  gate.close(path, used)
}

/**
 * A JSON Lines file as a dataset whose rows stay on disk: all are checked when it is opened, and read again when asked
 * for. Throws an InputError that names the file, the line and the field of the first bad row, or skips it.
 */
export function indexedJsonl(path: string, options: RowOptions = {}): CheckedDataset {
  const gate = new RowGate(options)
  const index = new RowIndex()
  for (const { number, offset, bytes } of fileLines(path)) {
    const where = `${path}:${number}`
    const good = gate.pass(() => readExample({ value: parseLine(bytes, where), where }, path, options))
    if (good !== undefined) index.add(offset, number)
  }
  const skipped = gate.close(path, index.length)
  if (index.length === 0) throw emptyData(path, skipped)
  return {
    length: index.length,
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

/** What is said of a file without a usable row. */
export function emptyData(path: string, { count, first }: Skipped): InputError {
  if (count === 0) return dataError(`${path}: expected at least one row, got an empty file`)
  return dataError(`${path}: none of its ${count} rows can be used; the first: ${first[0] ?? ''}`)
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

/** Whether a file is one JSON array, as *.json files are that are not JSON Lines. */
export function isJsonArray(path: string): boolean {
  if (extname(path) !== '.json') return false
  for (const { bytes } of fileLines(path)) return bytes.toString('utf8').trimStart().startsWith('[')
  return false
}

function readArray(path: string): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
  } catch (error) {
    throw dataError(`${path}: not valid JSON: ${messageOf(error)}; write one array of objects`, error)
  }
  if (Array.isArray(value)) return value
  throw dataError(`${path}: expected an array of objects, got ${typeof value}`)
}
