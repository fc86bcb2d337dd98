/**
 * The lines of a text file of any size, read a megabyte at a time: memory does not grow with the file. Only \n ends a line
 * (U+2028 may stand inside a JSON string); a byte order mark, carriage returns and blank lines are left out.
 */

import { isUtf8 } from 'node:buffer'
import { closeSync, openSync, readSync } from 'node:fs'
import { dataError, type InputError, messageOf, parserWords } from '../errors.js'

export interface Line {
  /** Counted from 1, blank ones too. */
  readonly number: number
  /** Bytes before the line. */
  readonly offset: number
  /** UTF-8, not yet checked; valid until the next line is asked for. */
  readonly bytes: Buffer
}

const chunkBytes = 2 ** 20
const newline = 0x0a
const carriageReturn = 0x0d
const space = 0x20

export interface LineOptions {
  /** A longer line is an error: the file is hardly JSON Lines. Default 64 MiB. */
  readonly longest?: number
}

/** Throws an InputError when the file cannot be read or is not text in UTF-8. */
export function* fileLines(path: string, { longest = 64 * 2 ** 20 }: LineOptions = {}): Generator<Line> {
  const file = openText(path)
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    let rest: Buffer = Buffer.alloc(0)
    let offset = 0
    let number = 0
    for (let size = read(file, chunk, path); size > 0; size = read(file, chunk, path)) {
      let begin = 0
      if (number === 0 && offset === 0 && rest.length === 0) {
        begin = offset = checkStart(chunk.subarray(0, size), path)
      }
      for (let end = chunk.indexOf(newline, begin); end >= 0 && end < size; end = chunk.indexOf(newline, begin)) {
        const bytes = joined(rest, chunk.subarray(begin, end))
        number += 1
        if (!isBlank(bytes)) yield { number, offset, bytes: withoutReturn(bytes) }
        offset += bytes.length + 1
        rest = Buffer.alloc(0)
        begin = end + 1
      }
      rest = Buffer.concat([rest, chunk.subarray(begin, size)])
      if (rest.length > longest) throw tooLong(path, number + 1, longest)
    }
    if (!isBlank(rest)) yield { number: number + 1, offset, bytes: withoutReturn(rest) }
  } finally {
    closeSync(file)
  }
}

/** The first kilobyte of a text file, without a byte order mark and blanks before the text. */
export function textStart(path: string): string {
  const file = openText(path)
  try {
    const chunk = Buffer.alloc(1024)
    const bytes = chunk.subarray(0, read(file, chunk, path))
    return bytes.subarray(checkStart(bytes, path)).toString('latin1').trimStart()
  } finally {
    closeSync(file)
  }
}

/** A line as text. `where` is named when its bytes are not UTF-8. */
function lineText(bytes: Buffer, where: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw dataError(`${where}: expected UTF-8 text, got other bytes; convert the file, e.g. with iconv`)
}

/** A line as a JSON value. */
export function parseLine(bytes: Buffer, where: string): unknown {
  const text = lineText(bytes, where)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw dataError(`${where}: not a JSON object: ${parserWords(error)}; write one whole object per line`, error)
  }
}

/** An open file, or an InputError that says how to mend it. */
export function openText(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw dataError(`cannot read ${path}: ${messageOf(error)}; give the path of a data file`, error)
  }
}

function read(file: number, chunk: Buffer, path: string): number {
  try {
    return readSync(file, chunk, 0, chunk.length, null)
  } catch (error) {
    throw dataError(`cannot read ${path}: ${messageOf(error)}; give the path of a data file`, error)
  }
}

const foreign: readonly { readonly magic: readonly number[]; readonly name: string; readonly cure: string }[] = [
  { magic: [0xff, 0xfe], name: 'UTF-16', cure: 'convert it with iconv -f UTF-16 -t UTF-8' },
  { magic: [0xfe, 0xff], name: 'UTF-16', cure: 'convert it with iconv -f UTF-16 -t UTF-8' },
  { magic: [0x1f, 0x8b], name: 'a gzip archive', cure: 'unpack it with gunzip' },
  { magic: [0x50, 0x4b, 0x03, 0x04], name: 'a zip archive', cure: 'unpack it' },
  { magic: [0x50, 0x41, 0x52, 0x31], name: 'a parquet file', cure: 'name it *.parquet' },
]

/** Bytes of the byte order mark; throws for what is not UTF-8 text at first sight. */
function checkStart(bytes: Buffer, path: string): number {
  const found = foreign.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte))
  if (found) throw dataError(`${path}: expected UTF-8 text, got ${found.name}; ${found.cure}`)
  // Without a byte order mark, UTF-16 still shows: JSON holds no NUL.
  if (bytes.subarray(0, 4).includes(0)) {
    throw dataError(`${path}: expected UTF-8 text, got zero bytes (UTF-16 or binary); convert it with iconv`)
  }
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

function joined(rest: Buffer, part: Buffer): Buffer {
  return rest.length === 0 ? part : Buffer.concat([rest, part])
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === space || (byte >= 0x09 && byte <= carriageReturn))
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
}

function tooLong(path: string, number: number, longest: number): InputError {
  const size = `${Math.floor(longest / 2 ** 20)} MiB`
  return dataError(`${path}:${number}: expected lines of at most ${size}, got a longer one; write one object per line`)
}
