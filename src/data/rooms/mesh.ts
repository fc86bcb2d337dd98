/**
 * A room as convex polygons in world space, counter-clockwise seen from outside, each with its lit colour.
 * Floor and walls carry a paint that depends on the place, evaluated per sample after hidden surfaces are gone.
 */
import { footprint, pointInBox } from '../scenes/oriented-box.js'
import type { BoxRecord, Vec3 } from '../scenes/record.js'
import type { Recipe } from './recipe.js'
import type { Color, Look, RoomScene } from './record.js'
import { type Solid, shapes } from './shapes.js'
import { brightness } from './texture.js'

export interface Polygon {
  readonly points: readonly Vec3[]
  /** Lit, in [0, 1] and slightly beyond. */
  readonly color: Color
  /** Writes the colour at a point of the polygon to `rgb`; absent: `color` everywhere. */
  readonly paint?: Paint
  /** Of the object that it belongs to; absent: floor and walls. */
  readonly category?: string
}

/** Writes instead of returning: it runs for most samples of a picture. */
type Paint = (x: number, y: number, z: number, rgb: Float64Array) => void

/** All surfaces of a scene. Categories that the recipe does not know are drawn as plain grey boxes. */
export function roomMesh(scene: RoomScene, recipe: Recipe): Polygon[] {
  const objects = Object.entries(scene.object_bbox).flatMap(([category, boxes]) => {
    const spec =
      category === 'door' ? { shape: 'door' as const, color: recipe.door.color } : recipe.categories[category]
    const solids = shapes[spec?.shape ?? 'bin']
    const color: Color = spec?.color ?? [0.5, 0.5, 0.5]
    return boxes.flatMap((box) => objectMesh(box, solids, color, scene.look)).map((face) => ({ ...face, category }))
  })
  return [...floorMesh(scene, recipe.look.shadow), ...wallMesh(scene), ...objects]
}

function floorMesh(scene: RoomScene, shadow: number): Polygon[] {
  const [width, depth] = scene.extent
  const floor: Vec3[] = [
    [0, 0, 0],
    [width, 0, 0],
    [width, depth, 0],
    [0, depth, 0],
  ]
  const { floor: color } = scene.look
  const surfaces: Polygon[] = [{ points: floor, color, paint: floorPaint(scene, 1) }]
  if (shadow === 0) return surfaces
  const paint = floorPaint(scene, 1 - shadow)
  for (const box of Object.values(scene.object_bbox).flat()) {
    const points = footprint(grown(box, 0.08)).map(([x, y]): Vec3 => [clamp(x, width), clamp(y, depth), 0.003])
    surfaces.push({ points, color, paint })
  }
  return surfaces
}

function floorPaint(scene: RoomScene, dim: number): Paint {
  const [width, depth] = scene.extent
  const { floor, floorTintX, floorTintY, floorTexture, light, ambient } = scene.look
  const lit = dim * (ambient + (1 - ambient) * light[2])
  return (x, y, _z, rgb) => {
    const [u, v] = [x / width - 0.5, y / depth - 0.5]
    const shade = lit * brightness(floorTexture, x, y)
    rgb[0] = shade * (floor[0] + u * floorTintX[0] + v * floorTintY[0])
    rgb[1] = shade * (floor[1] + u * floorTintX[1] + v * floorTintY[1])
    rgb[2] = shade * (floor[2] + u * floorTintX[2] + v * floorTintY[2])
  }
}

/** Walls face inwards only, so a camera outside looks into the room as into a doll's house. */
function wallMesh(scene: RoomScene): Polygon[] {
  const [w, d, h] = scene.extent
  const [west, east, south, north] = scene.look.walls
  const wall = (a: Vec3, b: Vec3, color: Color, normal: Vec3): Polygon => {
    const lit = scale(color, illumination(scene.look, normal))
    const points: Vec3[] = [a, b, [b[0], b[1], h], [a[0], a[1], h]]
    const { wallTexture } = scene.look
    if (wallTexture === 'plain') return { points, color: lit }
    const paint: Paint = (x, y, z, rgb) => {
      const bright = brightness(wallTexture, x + y, z)
      for (let i = 0; i < 3; i++) rgb[i] = (lit[i] ?? 0) * bright
    }
    return { points, color: lit, paint }
  }
  return [
    wall([0, 0, 0], [0, d, 0], west, [1, 0, 0]),
    wall([w, d, 0], [w, 0, 0], east, [-1, 0, 0]),
    wall([w, 0, 0], [0, 0, 0], south, [0, 1, 0]),
    wall([0, d, 0], [w, d, 0], north, [0, -1, 0]),
  ]
}

function objectMesh(box: BoxRecord, solids: readonly Solid[], color: Color, look: Look): Polygon[] {
  return solids.flatMap((solid) => {
    const tone = toned(color, solid.tone)
    return solidFaces(solid).map((face) => {
      const points = face.map(([u, v, w]) => pointInBox(box, u, v, w))
      return { points, color: scale(tone, illumination(look, normalOf(points))) }
    })
  })
}

/** Sides and top in the box's unit coordinates; undersides are never seen. */
function solidFaces(solid: Solid): Vec3[][] {
  const bottom = ring(solid, solid.from[2], 1)
  const top = ring(solid, solid.to[2], solid.taper)
  const faces = bottom.flatMap((a, i) => {
    const next = (i + 1) % bottom.length
    const [b, c, d] = [bottom[next], top[next], top[i]]
    return b === undefined || c === undefined || d === undefined ? [] : [solid.taper === 0 ? [a, b, d] : [a, b, c, d]]
  })
  return solid.taper === 0 ? faces : [...faces, top]
}

function ring(solid: Solid, z: number, size: number): Vec3[] {
  const { from, to, sides } = solid
  const [centerU, centerV] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]
  const reach = sides === 4 ? Math.SQRT2 : 1
  return Array.from({ length: sides }, (_, i) => {
    const angle = ((i + 0.5) * 2 * Math.PI) / sides
    const u = centerU + ((to[0] - from[0]) / 2) * size * reach * Math.cos(angle)
    const v = centerV + ((to[1] - from[1]) / 2) * size * reach * Math.sin(angle)
    return [u, v, z]
  })
}

function illumination(look: Look, normal: Vec3): number {
  const facing = normal[0] * look.light[0] + normal[1] * look.light[1] + normal[2] * look.light[2]
  return look.ambient + (1 - look.ambient) * Math.max(0, facing)
}

function normalOf(points: readonly Vec3[]): Vec3 {
  const [a, b, c] = points
  if (a === undefined || b === undefined || c === undefined) return [0, 0, 1]
  const [ux, uy, uz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2]]
  const [vx, vy, vz] = [c[0] - a[0], c[1] - a[1], c[2] - a[2]]
  const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]
  const length = Math.sqrt(x * x + y * y + z * z) || 1
  return [x / length, y / length, z / length]
}

function grown(box: BoxRecord, by: number): BoxRecord {
  const [length, width, height] = box.axesLengths
  return { ...box, axesLengths: [length + 2 * by, width + 2 * by, height] }
}

function scale(color: Color, by: number): Color {
  return [color[0] * by, color[1] * by, color[2] * by]
}

function toned(color: Color, tone: number): Color {
  if (tone <= 1) return scale(color, tone)
  const white = tone - 1
  return [color[0] + (1 - color[0]) * white, color[1] + (1 - color[1]) * white, color[2] + (1 - color[2]) * white]
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(most, value))
}
