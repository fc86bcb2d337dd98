/**
 * What a recipe says: the distribution that rooms, their camera paths, their look and their questions are drawn from.
 */
import type { Range } from '../../random.js'
import type { QuestionKind } from '../questions/question.js'
import type { Color, Texture } from './record.js'
import type { ShapeName } from './shapes.js'

export type Wall = 'west' | 'east' | 'south' | 'north'

export interface CategoryRecipe {
  readonly shape: ShapeName
  readonly color: Color
  /** Metres. Length runs along the front, width from front to back. */
  readonly length: Range
  readonly width: Range
  readonly height: Range
  /** true: stands with its back to a wall. */
  readonly atWall?: boolean
  /** true: a room never has several. */
  readonly oneOnly?: boolean
}

export interface CameraRecipe {
  readonly frames: number
  readonly width: number
  readonly height: number
  /** Metres above the floor. */
  readonly eye: Range
  /** Metres from the room's centre. */
  readonly radius: Range
  /** Where around the centre the path starts, in degrees counter-clockwise from the east. */
  readonly start: Range
  /** Degrees travelled from the first to the last frame. */
  readonly arc: Range
  readonly fov: Range
  /** Height of the point looked at. */
  readonly targetHeight: number
  /** true: the picture's upper edge stays north (a camera that looks down); false: the horizon stays level. */
  readonly northUp: boolean
  /**
   * How the first frame differs from the last: its field of view is this part of `fov`, and it looks this many metres
   * beside the centre. Both fade evenly, so that objects come into view one after the other. Absent: nothing differs.
   */
  readonly opening?: { readonly zoom: Range; readonly aside: Range }
}

export interface LookRecipe {
  readonly floor: Color
  readonly floorTintX: Color
  readonly floorTintY: Color
  readonly walls: readonly [Color, Color, Color, Color]
  /** Largest change per channel of floor and walls from room to room. */
  readonly jitter: number
  readonly floorTextures: readonly Texture[]
  readonly wallTextures: readonly Texture[]
  readonly ambient: Range
  /** Elevation of the light in degrees. */
  readonly light: Range
  /** 0 = none, 1 = black. */
  readonly shadow: number
  /** Samples per pixel and axis. */
  readonly supersample: number
}

export interface QuestionRecipe {
  readonly kinds: readonly QuestionKind[]
  /** The category that distances and directions start from; absent: any unique one. */
  readonly anchor?: string
  /** Objects listed in a relative-distance question. */
  readonly options: number
  /** The closest must be closer than the runner-up by this much, in metres. */
  readonly distanceMargin: number
  /** Degrees between a direction and the nearest boundary of its sector. */
  readonly angleMargin: number
  /** Appended to the question in `messages`; empty: nothing. */
  readonly instruction: string
}

export interface Recipe {
  readonly name: string
  readonly room: { readonly width: Range; readonly depth: Range; readonly height: Range }
  readonly categories: Readonly<Record<string, CategoryRecipe>>
  /** Categories with one object. */
  readonly singles: Range
  /** Categories with `copies` objects. */
  readonly repeated: Range
  readonly copies: Range
  /** Steps of turning in degrees, and how far objects may deviate from a step. */
  readonly turn: { readonly step: number; readonly jitter: number }
  /** Least free space between objects, in metres. */
  readonly gap: number
  readonly door: {
    readonly size: readonly [number, number, number]
    readonly color: Color
    readonly walls: readonly Wall[]
    /** Where along the wall: -1 to 1, 0 = its middle. */
    readonly along: Range
  }
  readonly camera: CameraRecipe
  readonly look: LookRecipe
  readonly questions: QuestionRecipe
}
