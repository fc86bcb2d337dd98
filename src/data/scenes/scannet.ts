/**
 * ScanNet scans to scene records. A scan is a folder <scene>/ with <scene>_vh_clean_2.ply,
 * <scene>_vh_clean_2.0.010000.segs.json, <scene>.aggregation.json and <scene>.txt, as ScanNet's download lays it out.
 */

import { existsSync, readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { dataError } from '../../errors.js'
import { groupBy } from '../../group-by.js'
import { floorArea } from './alpha-shape.js'
import { minimalBox } from './minimal-box.js'
import { readPlyPoints } from './ply.js'
import { type Points, pickPoints, transform } from './points.js'
import type { BoxRecord, SceneRecord } from './record.js'
import { categoryOf, type Vocabulary } from './scannet-categories.js'
import { type LabelRow, readAlignment, readObjects, readSegments, type ScanObject } from './scannet-files.js'

export interface ScanNetOptions {
  /** What `readLabels` read from scannetv2-labels.combined.tsv. */
  readonly labels: ReadonlyMap<string, LabelRow>
  /** Default 'benchmark'. */
  readonly vocabulary?: Vocabulary
}

/** The folders of scans in a folder, or the folder itself when it is one. */
export function scansIn(dir: string): string[] {
  if (isScan(dir)) return [dir]
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isScan(join(dir, entry.name)))
    .map((entry) => join(dir, entry.name))
    .sort()
}

/** Reads one scan. Throws an InputError that names the file and what is wrong in it. */
export function readScan(dir: string, options: ScanNetOptions): SceneRecord {
  const scene = basename(resolve(dir))
  const scanned = readPlyPoints(join(dir, `${scene}_vh_clean_2.ply`))
  const segments = readSegments(
    oneOf(dir, [`${scene}_vh_clean_2.0.010000.segs.json`], "the mesh's segments"),
    scanned.length / 3,
  )
  const objects = readObjects(
    oneOf(dir, [`${scene}.aggregation.json`, `${scene}_vh_clean.aggregation.json`], "the scan's objects"),
  )
  const points = transform(scanned, readAlignment(oneOf(dir, [`${scene}.txt`], "the scan's axis alignment")))
  const boxes = boxesOfObjects(points, segments, objects, options, `${dir}: `)
  return {
    dataset: 'scannet',
    video_path: `scannet/${scene}.mp4`,
    room_size: floorArea(points, scene),
    room_center: minimalBox(points)?.centroid ?? [0, 0, 0],
    object_counts: Object.fromEntries(Object.entries(boxes).map(([category, list]) => [category, list.length])),
    object_bbox: boxes,
  }
}

function isScan(dir: string): boolean {
  return existsSync(join(dir, `${basename(resolve(dir))}_vh_clean_2.ply`))
}

function oneOf(dir: string, names: readonly string[], what: string): string {
  const found = names.find((name) => existsSync(join(dir, name)))
  if (found !== undefined) return join(dir, found)
  throw dataError(`${dir}: there is no ${names.join(' or ')}: ${what}; fetch it with the scan`)
}

function boxesOfObjects(
  points: Points,
  segments: readonly number[],
  objects: readonly ScanObject[],
  { labels, vocabulary = 'benchmark' }: ScanNetOptions,
  where: string,
): Record<string, BoxRecord[]> {
  const verticesOf = groupBy(segments.keys(), (vertex) => segments[vertex])
  const boxes: Record<string, BoxRecord[]> = {}
  const known = objects.filter(({ label }) => labels.has(label))
  if (objects.length > 0 && known.length === 0) {
    throw dataError(`${where}none of its labels is in the table of labels, e.g. '${objects[0]?.label}'`)
  }
  for (const { id, label, segments: own } of known) {
    const row = labels.get(label)
    const category = row && categoryOf(row, vocabulary)
    if (category === undefined) continue
    const box = minimalBox(
      pickPoints(
        points,
        own.flatMap((segment) => verticesOf.get(segment) ?? []),
      ),
    )
    if (box === undefined) throw dataError(`${where}object ${id} ('${label}'): no vertex is in any of its segments`)
    const list = boxes[category] ?? []
    boxes[category] = list
    list.push(box)
  }
  return boxes
}
