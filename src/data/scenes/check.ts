/**
 * Parsed JSON to scene records: { "<scene>": { dataset, video_path, room_size, room_center, object_counts, object_bbox } }.
 * Columns that are not named here pass through, so that generated rooms keep their cameras.
 */
import {
  requireList,
  requireNumber,
  requireNumbers,
  requireObject,
  requireText,
  requireVec3,
  requireWhole,
  wrong,
} from './fields.js'
import { orientedBox } from './oriented-box.js'
import type { BoxRecord, SceneRecord } from './record.js'

/** Throws an InputError that names file, scene and field. */
export function checkScenes(value: unknown, file: string): Map<string, SceneRecord> {
  const scenes = Object.entries(requireObject(value, file, 'scene records { "<scene>": { "room_size": …, … } }'))
  if (scenes.length === 0) throw wrong(file, 'at least one scene', value)
  return new Map(scenes.map(([name, scene]) => [name, checkScene(scene, `${file}: scene '${name}'`)]))
}

function checkScene(value: unknown, where: string): SceneRecord {
  const record = requireObject(value, where)
  // VLM-3R's records say object_bboxes.
  const field = record.object_bbox === undefined && record.object_bboxes !== undefined ? 'object_bboxes' : 'object_bbox'
  const boxes = checkBoxes(record[field], `${where}: ${field}`)
  const counts =
    record.object_counts === undefined
      ? Object.fromEntries(Object.entries(boxes).map(([category, list]) => [category, list.length]))
      : checkEach(record.object_counts, `${where}: object_counts`, requireWhole)
  return {
    ...record,
    dataset: record.dataset === undefined ? '' : requireText(record.dataset, `${where}: dataset`),
    video_path: record.video_path === undefined ? '' : requireText(record.video_path, `${where}: video_path`),
    room_size: checkArea(record.room_size, `${where}: room_size`),
    room_center:
      record.room_center === undefined ? [0, 0, 0] : requireVec3(record.room_center, `${where}: room_center`),
    object_counts: counts,
    object_bbox: boxes,
    ...(record.first_seen === undefined ? {} : { first_seen: checkTimes(record.first_seen, `${where}: first_seen`) }),
  }
}

function checkArea(value: unknown, where: string): number {
  const area = requireNumber(value, where, 0)
  if (area === 0) throw wrong(where, 'an area in square metres above 0', value)
  return area
}

function checkTimes(value: unknown, where: string): Record<string, number> {
  return checkEach(value, where, (time, place) => requireNumber(time, place, 0))
}

function checkBoxes(value: unknown, where: string): Record<string, BoxRecord[]> {
  return checkEach(value, where, (list, place) =>
    requireList(list, place, 'a list of boxes').map((box, i) => checkBox(box, `${place}[${i}]`)),
  )
}

function checkEach<T>(value: unknown, where: string, check: (item: unknown, where: string) => T): Record<string, T> {
  const entries = Object.entries(requireObject(value, where, 'an object with a field per category'))
  return Object.fromEntries(entries.map(([name, item]) => [name, check(item, `${where}.${name}`)]))
}

function checkBox(value: unknown, where: string): BoxRecord {
  const box = requireObject(value, where, 'a box { "centroid", "axesLengths", "normalizedAxes" }')
  const centroid = requireVec3(box.centroid, `${where}.centroid`)
  const lengths = requireVec3(box.axesLengths, `${where}.axesLengths`)
  if (Math.min(...lengths) <= 0) throw wrong(`${where}.axesLengths`, 'three lengths above 0 (metres)', lengths)
  const axes = requireNumbers(box.normalizedAxes, 9, `${where}.normalizedAxes`)
  if (!areOrthonormal(axes)) {
    throw wrong(`${where}.normalizedAxes`, 'three unit axes at right angles, one after the other', axes)
  }
  const around = orientedBox(centroid, lengths, axes)
  const min = box.min === undefined ? around.min : requireVec3(box.min, `${where}.min`)
  const max = box.max === undefined ? around.max : requireVec3(box.max, `${where}.max`)
  return { ...box, centroid, axesLengths: lengths, normalizedAxes: axes, min, max }
}

/** Files written in float32 are right to seven digits. */
const leeway = 1e-3

function areOrthonormal(axes: readonly number[]): boolean {
  const dot = (i: number, j: number): number =>
    [0, 1, 2].reduce((sum, k) => sum + (axes[3 * i + k] ?? 0) * (axes[3 * j + k] ?? 0), 0)
  const isUnit = [0, 1, 2].every((i) => Math.abs(dot(i, i) - 1) < leeway)
  return isUnit && Math.max(Math.abs(dot(0, 1)), Math.abs(dot(0, 2)), Math.abs(dot(1, 2))) < leeway
}
