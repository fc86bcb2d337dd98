/** Data by name: JSON Lines, JSON arrays and parquet files, folders of them, on disk or on the Hub; as raw rows, or as a dataset. */
import { existsSync, statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { InputError } from '../errors.js'
import type { Example } from '../types.js'
import { concat, fromArray } from './dataset.js'
import { chooseSplit, dataFilesIn, isDataFile } from './folder.js'
import { hubFile, hubFiles, parseHubPath } from './hub.js'
import { indexedJsonl, jsonl } from './jsonl.js'
import { type ParquetOptions, parquetRows } from './parquet.js'
import { type CheckedDataset, emptyData, type RawRow, RowGate, type RowOptions, readExample } from './rows.js'
import { arrayRows, isJsonArray, lineRows } from './stream.js'

export interface OpenOptions extends RowOptions, ParquetOptions {
  /** Which files of a folder or of a data set on the Hub: train, validation or test. Default: all where there is but one. */
  readonly split?: string
}

/** Files up to this size are kept in memory, larger ones are read row by row. */
const smallBytes = 64 * 2 ** 20

/** All rows of a file as they are, with file and line. Parquet is read into memory; JSON Lines one row at a time. */
export async function dataRows(name: string, options: ParquetOptions = {}): Promise<Iterable<RawRow>> {
  const [path = name, ...others] = await localFiles(name)
  if (others.length > 0) throw new InputError(`${name}: expected one file, got ${others.length + 1}; name one of them`)
  return (await rowsInMemory(path, options)) ?? lineRows(path)
}

/**
 * A file, a folder of files, or `hf://datasets/org/name[/file]` as a dataset, in any of the row forms. Rows of large JSON Lines
 * files stay on disk; those of JSON arrays and parquet are kept in memory (media as files). Throws an InputError for the first
 * row that cannot be used, or skips and reports it.
 */
export async function openDataset(name: string, options: OpenOptions = {}): Promise<CheckedDataset> {
  const parts: CheckedDataset[] = []
  for (const path of await localFiles(name, options.split)) parts.push(await openFile(path, options))
  const [first, ...others] = parts
  if (first !== undefined && others.length === 0) return first
  const skipped = parts.map((part) => part.skipped)
  const count = skipped.reduce((sum, one) => sum + one.count, 0)
  return { ...concat(parts), skipped: { count, first: skipped.flatMap((one) => one.first) } }
}

async function openFile(path: string, options: OpenOptions): Promise<CheckedDataset> {
  const rows = await rowsInMemory(path, options)
  if (rows === undefined) {
    const isLarge = existsSync(path) && statSync(path).size > smallBytes
    return isLarge ? indexedJsonl(path, options) : jsonl(path, options)
  }
  const gate = new RowGate(options)
  const examples: Example[] = []
  const places: string[] = []
  for (const row of rows) {
    const example = gate.pass(() => readExample(row, path, options))
    if (example === undefined) continue
    examples.push(example)
    places.push(row.where)
  }
  const skipped = gate.close(path, examples.length)
  if (examples.length === 0) throw emptyData(path, skipped)
  return { ...fromArray(examples), files: [resolve(path)], skipped, where: (index) => places[index] ?? path }
}

/** The rows of a file in a format that is only read as a whole; undefined for JSON Lines. */
async function rowsInMemory(path: string, options: ParquetOptions): Promise<readonly RawRow[] | undefined> {
  if (extname(path) === '.parquet') return collect(parquetRows(path, options))
  return isJsonArray(path) ? arrayRows(path) : undefined
}

/** The files that a name stands for, fetched where they are on the Hub. */
async function localFiles(name: string, split?: string): Promise<readonly string[]> {
  const remote = parseHubPath(name)
  if (remote === undefined) {
    return existsSync(name) && statSync(name).isDirectory() ? dataFilesIn(name, split) : [name]
  }
  const { file, ...repo } = remote
  if (file !== undefined) return [await hubFile({ ...repo, file })]
  const all = (await hubFiles(repo)).filter(isDataFile)
  const paths: string[] = []
  for (const one of chooseSplit(all, split, name)) paths.push(await hubFile({ ...repo, file: one }))
  return paths
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
