/** Rows of JSON files of any size, one at a time. */
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { dataError, messageOf } from '../errors.js'
import type { Example } from '../types.js'
import { type RawRow, RowGate, type RowOptions, readExample } from './rows.js'
import { checkShard } from './shard.js'
import { fileLines, parseLine, textStart } from './stream-lines.js'

export interface StreamOptions extends RowOptions {
  /** This process and how many there are: rows rank, rank + worldSize, … Default 0 of 1. */
  readonly rank?: number
  readonly worldSize?: number
}

/** Rows of a JSON Lines file. Yields nothing for blank lines. */
export function* lineRows(path: string): Generator<RawRow> {
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

/** Whether a file is one JSON array, as *.json files are that are not JSON Lines. */
export function isJsonArray(path: string): boolean {
  return extname(path) === '.json' && textStart(path).startsWith('[')
}

/** Rows of a JSON file of which `isJsonArray` says that it is one array. */
export function arrayRows(path: string): RawRow[] {
  try {
    const values: unknown[] = JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
    return values.map((value, index) => ({ value, where: `${path}[${index}]` }))
  } catch (error) {
    throw dataError(`${path}: not valid JSON: ${messageOf(error)}; write one array of objects`, error)
  }
}
