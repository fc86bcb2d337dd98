/**
 * JSON Lines files that grow while a run goes on. A row is on disk as a whole or not at all: a write that fails half-way
 * is taken back. Numbers that JSON cannot hold (NaN, infinities) are written as null.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { saving, writeAtomically } from '../atomic-file.js'
import { isObject } from '../json.js'
import { GrowingFile } from './growing-file.js'

export type Row = Record<string, unknown>

export class LineFile {
  private readonly growing: GrowingFile

  /** Opens for appending; the file and its folder are made when missing. */
  constructor(file: string) {
    const descriptor = saving(file, () => {
      mkdirSync(dirname(file), { recursive: true })
      return openSync(file, 'a')
    })
    this.growing = new GrowingFile(file, descriptor)
  }

  /** Appends rows in one write; on an error the file is as it was before. */
  append(rows: readonly object[]): void {
    if (rows.length > 0) this.growing.append(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  }

  /** Waits until the rows are on the disk itself. */
  flush(): void {
    this.growing.flush()
  }

  close(): void {
    this.growing.close()
  }
}

/** The rows of a JSON Lines file; none when it is missing. A line torn by a crash (or still being written) is left out. */
export function readLines(file: string): Row[] {
  return [...rowsOf(file)]
}

/** The same one after the other, for files that may be larger than a string can be; `onBad` hears of whole lines left out. */
export function* rowsOf(file: string, onBad: () => void = () => {}): Generator<Row> {
  if (!existsSync(file)) return
  for (const { text, whole } of linesOf(file)) {
    if (text.trim() === '') continue
    const row = parseRow(text)
    if (row !== undefined) yield row
    else if (whole) onBad()
  }
}

function* linesOf(file: string): Generator<{ text: string; whole: boolean }> {
  const descriptor = openSync(file, 'r')
  try {
    const chunk = Buffer.alloc(1 << 20)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, read))).split('\n')
      rest = lines.pop() ?? ''
      for (const text of lines) yield { text, whole: true }
    }
    yield { text: rest + decoder.end(), whole: false }
  } finally {
    closeSync(descriptor)
  }
}

/** Rewrites a file of rows with a `step` so that none is later than `step`: what a resumed run will write again. */
export function truncateAfter(file: string, step: number): void {
  if (!existsSync(file)) return
  writeAtomically(file, (write) => {
    for (const row of rowsOf(file)) {
      if (typeof row.step === 'number' && row.step <= step) write(`${JSON.stringify(row)}\n`)
    }
  })
}

function parseRow(line: string): Row | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
