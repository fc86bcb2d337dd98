/**
 * Rows on their way from a file to a dataset. One that cannot be used stops the reading, or is skipped, reported and counted;
 * none is lost in silence.
 */
import { dirname, resolve } from 'node:path'
import { dataError, InputError } from '../errors.js'
import type { Example } from '../types.js'
import { adaptRow, type RowForm } from './adapters.js'
import type { Dataset } from './dataset.js'
import { parseRow } from './row.js'

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

/** What is said of a file without a usable row. */
export function emptyData(path: string, { count, first }: Skipped): InputError {
  if (count === 0) return dataError(`${path}: expected at least one row, got an empty file`)
  return dataError(`${path}: none of its ${count} rows can be used; the first: ${first[0] ?? ''}`)
}
