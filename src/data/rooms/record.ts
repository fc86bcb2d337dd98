/**
 * What drawing a room needs beside its scene record.
 * Metres; x to the east, y to the north, z up; a room has its south-west floor corner at the origin.
 */
import type { SceneRecord, Vec3 } from '../scenes/record.js'

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
