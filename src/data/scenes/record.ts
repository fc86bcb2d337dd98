/**
 * Scene records: what is known about a scanned or generated room, field for field as in VSI-Bench's meta information.
 * Metres and square metres; z points up.
 */

export type Vec3 = readonly [number, number, number]

/** An oriented box, as Open3D writes it. */
export interface BoxRecord {
  readonly centroid: Vec3
  /** Side lengths along the three axes below. */
  readonly axesLengths: Vec3
  /** Three unit axes, one after the other. */
  readonly normalizedAxes: readonly number[]
  /** The axis-aligned box around it. */
  readonly min: Vec3
  readonly max: Vec3
}

export interface SceneRecord {
  readonly dataset: string
  readonly video_path: string
  /** Floor area, m². */
  readonly room_size: number
  readonly room_center: Vec3
  readonly object_counts: Readonly<Record<string, number>>
  readonly object_bbox: Readonly<Record<string, readonly BoxRecord[]>>
  /** When each category is seen for the first time, in seconds of the video; absent where nobody looked. */
  readonly first_seen?: Readonly<Record<string, number>>
}

/** Scenes by name, in the order of their file. */
export type Scenes = ReadonlyMap<string, SceneRecord>

/** The boxes of a category; none for a category that the record does not know. */
export function boxesOf(scene: SceneRecord, category: string): readonly BoxRecord[] {
  return Object.hasOwn(scene.object_bbox, category) ? (scene.object_bbox[category] ?? []) : []
}

/** The only box of a category, or undefined when there are none or several. */
export function onlyBox(scene: SceneRecord, category: string): BoxRecord | undefined {
  const boxes = boxesOf(scene, category)
  return boxes.length === 1 ? boxes[0] : undefined
}

/** Categories with exactly one object, in the record's order. */
export function uniqueCategories(scene: SceneRecord): string[] {
  return Object.keys(scene.object_bbox).filter((category) => onlyBox(scene, category) !== undefined)
}
