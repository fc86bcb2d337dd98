/** Which files of a folder are data: JSON Lines and parquet, laid out as data sets on the Hugging Face Hub are. */

import { readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { dataError } from '../errors.js'

/** A split by the words in a file's path that mean it. */
const splits: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing', 'eval'],
}
const endings = ['.jsonl', '.parquet']

export function isDataFile(path: string): boolean {
  return endings.includes(extname(path))
}

/**
 * The data files below a folder, in the order of their names. With a split, those whose name or folder says it
 * (`train-00000-of-00002.parquet`, `train/rows.jsonl`); without one, all, unless they are of several splits. Throws an
 * InputError when there are none, or when a split has to be chosen.
 */
export function dataFilesIn(dir: string, split?: string): string[] {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(isDataFile).sort()
  return chooseSplit(files, split, dir).map((file) => join(dir, file))
}

/** The same for paths of a folder that is elsewhere; `where` names it in errors. */
export function chooseSplit(files: readonly string[], split: string | undefined, where: string): readonly string[] {
  if (files.length === 0) throw dataError(`${where}: expected data files (${endings.join(', ')}), got none`)
  const found = [...new Set(files.map(splitOf).filter((name) => name !== undefined))]
  const told = `its files are of ${found.join(', ') || 'no split'}`
  if (split === undefined) {
    if (found.length < 2) return files
    throw dataError(`${where}: expected one split, but ${told}; name one, e.g. split: ${found[0]}, or one file`)
  }
  const chosen = files.filter((file) => splitOf(file) === split)
  if (chosen.length === 0) throw dataError(`${where}: there is no split '${split}'; ${told}`)
  return chosen
}

function splitOf(file: string): string | undefined {
  const words = file.toLowerCase().split(/[^a-z]+/)
  return Object.keys(splits).find((name) => splits[name]?.some((word) => words.includes(word)))
}
