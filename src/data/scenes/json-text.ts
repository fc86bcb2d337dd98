/**
 * JSON files that people and other programs made: what is wrong with one is told with the place in it. Equal keys, of which
 * JSON.parse silently keeps the last, are an error here.
 */

import { readFileSync } from 'node:fs'
import { dataError, messageOf, parserWords } from '../../errors.js'

/** Reads and parses a file. Throws an InputError that names it. */
export function readJsonFile(file: string): unknown {
  return parseJson(readText(file), file)
}

/** A file's bytes; `what` it is to hold goes into the error when there is none. */
export function readBytes(file: string, what: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw dataError(`cannot read ${file}: ${messageOf(error)}; expected ${what} there`, error)
  }
}

/** UTF-8 text without byte order mark. Throws an InputError that names the file and its encoding. */
export function readText(file: string, what = 'a text file'): string {
  return decodeText(readBytes(file, what), file)
}

function decodeText(bytes: Uint8Array, file: string): string {
  const [first, second] = bytes
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  if (marked || (bytes.length > 1 && (first === 0) !== (second === 0))) {
    throw dataError(`${file}: expected UTF-8 text, got UTF-16; save it again as UTF-8`)
  }
  if (bytes.length === 0) throw dataError(`${file}: the file is empty`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw dataError(`${file}: expected UTF-8 text, got bytes that are none; save it again as UTF-8`, error)
  }
}

/** Parses text; `where` starts every message. */
export function parseJson(text: string, where: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw dataError(`${where}: ${findFault(text) ?? 'not JSON'} (${parserWords(error)})`, error)
  }
  const fault = findFault(text)
  if (fault !== undefined) throw dataError(`${where}: ${fault}`)
  return value
}

interface Level {
  /** Keys of an object so far; absent in a list. */
  readonly keys?: Set<string>
  /** The key or the index that the scan is at. */
  at: string | number
}

/** Strings, marks, and everything else in one piece. */
const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gy

/** The first repeated key, word that is no JSON, or missing end, with its path; undefined when there is none. */
function findFault(text: string): string | undefined {
  const levels: Level[] = []
  token.lastIndex = 0
  let isKey = false
  for (;;) {
    skipSpace(text)
    const found = token.exec(text)?.[0]
    if (found === undefined) break
    const level = levels.at(-1)
    if (found === '{' || found === '[') levels.push(found === '{' ? { keys: new Set(), at: '' } : { at: 0 })
    else if (found === '}' || found === ']') levels.pop()
    else if (found === ',' && typeof level?.at === 'number') level.at++
    else if (isKey && level?.keys && found.startsWith('"')) {
      if (level.keys.has(found)) return `${pathOf(levels.slice(0, -1))}the key ${found} is there twice; keep one`
      level.keys.add(found)
      level.at = unquoted(found)
    } else if (/^(?:[-+]?(?:NaN|Infinity|inf|nan)|None|undefined)$/.test(found)) {
      return `${pathOf(levels)}${found} is no JSON; write a number`
    }
    isKey = found === '{' || (found === ',' && level?.keys !== undefined)
  }
  return levels.length > 0 ? `${pathOf(levels)}the text ends here; the file is cut off` : undefined
}

function skipSpace(text: string): void {
  let at = token.lastIndex
  while (at < text.length && text.charCodeAt(at) <= 32) at++
  token.lastIndex = at
}

function unquoted(text: string): string {
  return text.slice(1, -1)
}

/** 'a.b[2]: ', or nothing at the top. */
function pathOf(levels: readonly Level[]): string {
  const path = levels
    .map(({ at }) => (typeof at === 'number' ? `[${at}]` : `.${at}`))
    .join('')
    .replace(/^\./, '')
  return path === '' ? '' : `${path}: `
}
