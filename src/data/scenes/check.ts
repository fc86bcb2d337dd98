/**
 * Parsed JSON to scene records: { "<scene>": { dataset, video_path, room_size, room_center, object_counts, object_bbox } }.
 * Columns that are not named here pass through, so that generated rooms keep their cameras.
 */
import { z } from 'zod'
import { isObject } from '../../json.js'
import { checked, finite, integer, wrong } from './fields.js'
import { orientedBox } from './oriented-box.js'
import { dot } from './points.js'
import type { BoxRecord, SceneRecord, Vec3 } from './record.js'

const vec3 = z.tuple([finite, finite, finite], 'a list of 3 numbers')

/** Files written in float32 are right to seven digits. */
const leeway = 1e-3

const axes = z
  .array(finite, 'a list of 9 numbers')
  .length(9, 'a list of 9 numbers')
  .refine(areOrthonormal, 'three unit axes at right angles, one after the other')

const box = z
  .looseObject(
    {
      centroid: vec3,
      axesLengths: vec3.refine((lengths) => Math.min(...lengths) > 0, 'three lengths above 0 (metres)'),
      normalizedAxes: axes,
      min: vec3.optional(),
      max: vec3.optional(),
    },
    'a box { "centroid", "axesLengths", "normalizedAxes" }',
  )
  .transform((given): BoxRecord => {
    const { min, max } = orientedBox(given.centroid, given.axesLengths, given.normalizedAxes)
    return { ...given, min: given.min ?? min, max: given.max ?? max }
  })

const area = 'an area in square metres above 0'
const time = 'a finite number of at least 0'
const perCategory = 'an object with a field per category'
const boxes = z.record(z.string(), z.array(box, 'a list of boxes'), perCategory)

/** The unified form of VSI-Bench's meta information, for every source; VLM-3R's records say object_bboxes. */
const sceneSchema = z
  .looseObject(
    {
      dataset: z.string('a string').default(''),
      video_path: z.string('a string').default(''),
      room_size: z.number(area).positive(area),
      room_center: vec3.default([0, 0, 0]),
      object_counts: z.record(z.string(), integer, perCategory).optional(),
      object_bbox: boxes.optional(),
      object_bboxes: boxes.optional(),
      first_seen: z.record(z.string(), z.number(time).nonnegative(time), perCategory).optional(),
    },
    'an object',
  )
  .refine(({ object_bbox: one, object_bboxes: other }) => (one ?? other) !== undefined, {
    path: ['object_bbox'],
    message: perCategory,
  })
  .transform(({ object_bboxes: others = {}, object_bbox = others, ...record }): SceneRecord => {
    const counts = Object.entries(object_bbox).map(([category, list]) => [category, list.length])
    return { ...record, object_bbox, object_counts: record.object_counts ?? Object.fromEntries(counts) }
  })

/** Throws an InputError that names file, scene and field. */
export function checkScenes(value: unknown, file: string): Map<string, SceneRecord> {
  if (!isObject(value)) throw wrong(file, 'scene records { "<scene>": { "room_size": …, … } }', value)
  const scenes = Object.entries(value)
  if (scenes.length === 0) throw wrong(file, 'at least one scene', value)
  return new Map(scenes.map(([name, scene]) => [name, checked(sceneSchema, scene, `${file}: scene '${name}'`)]))
}

function areOrthonormal(values: readonly number[]): boolean {
  const axis = (i: number): Vec3 => [values[3 * i] ?? 0, values[3 * i + 1] ?? 0, values[3 * i + 2] ?? 0]
  const product = (i: number, j: number): number => dot(axis(i), axis(j))
  const isUnit = [0, 1, 2].every((i) => Math.abs(product(i, i) - 1) < leeway)
  return isUnit && Math.max(Math.abs(product(0, 1)), Math.abs(product(0, 2)), Math.abs(product(1, 2))) < leeway
}
