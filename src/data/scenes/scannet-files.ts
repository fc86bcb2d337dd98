/** The small files of a ScanNet scan: segments, objects, axis alignment, and the table of labels that all scans share. */

import { z } from 'zod'
import { dataError } from '../../errors.js'
import { checked, integer, text, wrong } from './fields.js'
import { readJsonFile, readText } from './json-text.js'

export interface ScanObject {
  readonly id: number
  /** As the annotators wrote it: ScanNet's raw category. */
  readonly label: string
  readonly segments: readonly number[]
}

const segmentation = z.looseObject(
  { segIndices: z.array(integer, 'a list with the segment of each vertex') },
  'an object',
)

const aggregation = z.looseObject(
  {
    segGroups: z.array(
      z.looseObject(
        { objectId: integer.optional(), id: integer.optional(), label: text, segments: z.array(integer, 'a list') },
        'an object',
      ),
      'a list of objects',
    ),
  },
  'an object',
)

/** The segment of each vertex: `segIndices` of *.segs.json. */
export function readSegments(file: string, vertices: number): readonly number[] {
  const { segIndices } = checked(segmentation, readJsonFile(file), file)
  if (segIndices.length === vertices) return segIndices
  throw dataError(`${file}: segIndices: expected ${vertices} numbers, one per vertex, got ${segIndices.length}`)
}

/** The objects of a scan: `segGroups` of *.aggregation.json. */
export function readObjects(file: string): readonly ScanObject[] {
  const seen = new Set<number>()
  return checked(aggregation, readJsonFile(file), file).segGroups.map(({ objectId, id, label, segments }, i) => {
    const where = `${file}: segGroups[${i}].objectId`
    const number = objectId ?? id
    if (number === undefined) throw wrong(where, 'an integer of at least 0', undefined)
    if (seen.has(number)) throw dataError(`${where}: there are two objects ${number}`)
    seen.add(number)
    return { id: number, label: label.trim(), segments }
  })
}

/** Rows of the 4 x 4 matrix that turns a scan upright and along its walls; the identity where the file gives none. */
export function readAlignment(file: string): readonly number[] {
  const line = readText(file, "the scan's axis alignment")
    .split('\n')
    .find((text) => /^\s*axisAlignment\s*=/.test(text))
  if (line === undefined) return [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
  const values = line
    .slice(line.indexOf('=') + 1)
    .trim()
    .split(/\s+/)
    .map(Number)
  if (values.length === 16 && values.every(Number.isFinite)) return values
  throw wrong(`${file}: axisAlignment`, '16 numbers', line.trim())
}

/** What the label table says about one raw category. */
export interface LabelRow {
  readonly raw: string
  readonly nyu40: string
}

/** Reads scannetv2-labels.combined.tsv: raw categories with their NYU40 class. */
export function readLabels(file: string): ReadonlyMap<string, LabelRow> {
  const [head = '', ...lines] = readText(file, "ScanNet's table of labels").split(/\r?\n/)
  const names = head.split('\t')
  const [raw, nyu40] = ['raw_category', 'nyu40class'].map((name) => {
    const column = names.indexOf(name)
    if (column < 0) throw dataError(`${file}: line 1: expected a column ${name}, got ${names.slice(0, 8).join(', ')}`)
    return column
  })
  const rows = lines.flatMap((line, i): LabelRow[] => {
    if (line.trim() === '') return []
    const cells = line.split('\t')
    const row = { raw: cells[raw ?? 0]?.trim() ?? '', nyu40: cells[nyu40 ?? 0]?.trim() ?? '' }
    if (row.raw === '' || cells.length < names.length) {
      throw dataError(`${file}: line ${i + 2}: expected ${names.length} columns, got ${cells.length}`)
    }
    return [row]
  })
  if (rows.length === 0) throw dataError(`${file}: expected a row per category, got none`)
  return new Map(rows.map((row) => [row.raw, row]))
}
