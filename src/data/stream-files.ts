/** Data files by their ending: JSON Lines, JSON arrays, parquet, on disk or on the Hub; as raw rows, or as a dataset. */
import { extname } from 'node:path'
import type { Example } from '../types.js'
import { fromArray } from './dataset.js'
import { hubFile, parseHubPath } from './hub.js'
import { type ParquetOptions, parquetRows } from './parquet.js'
import {
  type CheckedDataset,
  emptyData,
  indexedJsonl,
  isJsonArray,
  jsonRows,
  type RawRow,
  RowGate,
  type RowOptions,
  readExample,
} from './stream.js'

export type OpenOptions = RowOptions & ParquetOptions

/** All rows of a file as they are, with file and line. Parquet is read into memory; JSON Lines one row at a time. */
export async function dataRows(name: string, options: ParquetOptions = {}): Promise<Iterable<RawRow>> {
  const path = await localFile(name)
  return extname(path) === '.parquet' ? collect(parquetRows(path, options)) : jsonRows(path)
}

/**
 * A file as a dataset, in any of the row forms. Rows of JSON Lines stay on disk, those of JSON arrays and parquet are kept
 * in memory (media as files). Throws an InputError for the first row that cannot be used, or skips and reports it.
 */
export async function openDataset(name: string, options: OpenOptions = {}): Promise<CheckedDataset> {
  const path = await localFile(name)
  if (extname(path) !== '.parquet' && !isJsonArray(path)) return indexedJsonl(path, options)
  const gate = new RowGate(options)
  const examples: Example[] = []
  const places: string[] = []
  for (const row of await dataRows(path, options)) {
    const example = gate.pass(() => readExample(row, path, options))
    if (example === undefined) continue
    examples.push(example)
    places.push(row.where)
  }
  const skipped = gate.close(path, examples.length)
  if (examples.length === 0) throw emptyData(path, skipped)
  return { ...fromArray(examples), skipped, where: (index) => places[index] ?? path }
}

/** `hf://datasets/org/name/file` is fetched into the Hub's cache; other names are paths. */
async function localFile(name: string): Promise<string> {
  const remote = parseHubPath(name)
  return remote ? hubFile(remote) : name
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
