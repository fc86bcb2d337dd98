/** Scene records from what is on disk: files in the unified form (VSI-Bench's, our rooms') and folders of ScanNet scans. */

import { existsSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { dataError } from '../../errors.js'
import { checkScenes } from './check.js'
import { readJsonFile } from './json-text.js'
import type { SceneRecord } from './record.js'
import { readScan, scansIn } from './scannet.js'
import type { Vocabulary } from './scannet-categories.js'
import { readLabels } from './scannet-files.js'

export interface ReadScenesOptions {
  /** scannetv2-labels.combined.tsv: needed for scans only. */
  readonly labels?: string
  /** Which of a scan's labels become which category; default 'benchmark'. */
  readonly vocabulary?: Vocabulary
  /** Called after each scan: these take seconds. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Reads all of `paths`. Throws an InputError that names file, scene and field; a scene that comes twice is an error too. */
export function readScenes(paths: readonly string[], options: ReadScenesOptions = {}): Map<string, SceneRecord> {
  const scenes = new Map<string, SceneRecord>()
  const from = new Map<string, string>()
  for (const path of paths) {
    for (const [name, scene] of isFolder(path) ? readScans(path, options) : checkScenes(readJsonFile(path), path)) {
      const other = from.get(name)
      if (other !== undefined) throw dataError(`${path}: scene '${name}' is in ${other} already; keep one`)
      from.set(name, path)
      scenes.set(name, scene)
    }
  }
  return scenes
}

function* readScans(dir: string, options: ReadScenesOptions): Generator<[string, SceneRecord]> {
  const scans = scansIn(dir)
  if (scans.length === 0) {
    throw dataError(`${dir}: there is no ScanNet scan in it, which is a folder <scene> with <scene>_vh_clean_2.ply`)
  }
  if (options.labels === undefined) {
    throw dataError(`${dir}: scans need ScanNet's table of labels; give --labels scannetv2-labels.combined.tsv`)
  }
  const labels = readLabels(options.labels)
  for (const [index, scan] of scans.entries()) {
    yield [basename(scan), readScan(scan, { labels, vocabulary: options.vocabulary })]
    options.onProgress?.(index + 1, scans.length)
  }
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}
