/**
 * Scene records, field for field as VSI-Bench's meta information, with what drawing a room needs beside them.
 * Metres; x to the east, y to the north, z up; a generated room has its south-west floor corner at the origin.
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
}

/** One frame's pinhole camera. */
export interface CameraRecord {
  readonly position: Vec3
  readonly target: Vec3
  readonly up: Vec3
  /** Vertical field of view in degrees. */
  readonly fov: number
}

/** Red, green, blue in [0, 1]. */
export type Color = readonly [number, number, number]

/** What one room looks like, drawn from its recipe. */
export interface Look {
  readonly floor: Color
  /** Added to the floor's colour from the west (-1/2) to the east wall (+1/2): breaks the mirror symmetry. */
  readonly floorTintX: Color
  /** The same from south to north. */
  readonly floorTintY: Color
  /** West, east, south, north. */
  readonly walls: readonly [Color, Color, Color, Color]
  readonly floorTexture: Texture
  readonly wallTexture: Texture
  /** Unit vector towards the light. */
  readonly light: Vec3
  readonly ambient: number
}

export type Texture = 'plain' | 'tiles' | 'planks' | 'stripes' | 'bricks'

/** A record with camera path and look: everything that `renderRoom` needs besides the recipe's categories. */
export interface RoomScene extends SceneRecord {
  readonly cameras: readonly CameraRecord[]
  /** Width (x), depth (y), height (z). */
  readonly extent: Vec3
  /** Categories whose number was drawn at random; counting asks about these. */
  readonly repeated: readonly string[]
  readonly look: Look
}

/** The only box of a category, or undefined when there are none or several. */
export function onlyBox(scene: SceneRecord, category: string): BoxRecord | undefined {
  const boxes = scene.object_bbox[category] ?? []
  return boxes.length === 1 ? boxes[0] : undefined
}

/** Categories with exactly one object, in the record's order. */
export function uniqueCategories(scene: SceneRecord): string[] {
  return Object.keys(scene.object_bbox).filter((category) => onlyBox(scene, category) !== undefined)
}
