/**
 * A small software renderer: perspective camera, depth buffer, flat shading, deferred paint. It runs at hundreds of
 * small frames per second on one core and gives the same bytes everywhere.
 */
import { cross, dot, minus, unit } from '../scenes/points.js'
import type { Vec3 } from '../scenes/record.js'
import type { Polygon } from './mesh.js'
import { roomMesh } from './mesh.js'
import type { Recipe } from './recipe.js'
import type { CameraRecord, Color, RoomScene } from './record.js'

/** A point as the camera sees it: pixels right and down, and 1 / depth, which is linear over the picture. */
interface Seen {
  readonly x: number
  readonly y: number
  readonly inverse: number
}

interface View {
  readonly width: number
  readonly height: number
  readonly focal: number
  readonly position: Vec3
  readonly right: Vec3
  readonly up: Vec3
  readonly forward: Vec3
}

export interface PictureSize {
  readonly width: number
  readonly height: number
  /** Samples per pixel and axis. */
  readonly supersample: number
}

interface Buffers {
  /** 1 / depth of the nearest surface; 0 = nothing. */
  readonly inverse: Float64Array
  /** Index of that surface plus one. */
  readonly surface: Uint16Array
}

const near = 0.05
const outside: Color = [0.93, 0.94, 0.95]

/** All frames of a scene's camera path: RGB bytes [F, H, W, 3]. */
export function renderRoom(scene: RoomScene, recipe: Recipe): Uint8Array {
  const { width, height } = recipe.camera
  const mesh = roomMesh(scene, recipe)
  const bytes = width * height * 3
  const frames = new Uint8Array(scene.cameras.length * bytes)
  scene.cameras.forEach((camera, index) => {
    renderFrame(mesh, camera, { width, height, supersample: recipe.look.supersample }, frames.subarray(index * bytes))
  })
  return frames
}

/** Draws one picture into the first width * height * 3 bytes of `out`. */
export function renderFrame(mesh: readonly Polygon[], camera: CameraRecord, size: PictureSize, out: Uint8Array): void {
  const view = viewOf(camera, size.width * size.supersample, size.height * size.supersample)
  const buffers = drawSurfaces(mesh, view)
  const scale = 255 / (size.supersample * size.supersample)
  const sums = shade(mesh, view, buffers, size)
  for (let i = 0; i < sums.length; i++) out[i] = Math.max(0, Math.min(255, Math.round((sums[i] ?? 0) * scale)))
}

/** What each pixel shows, by its centre: the index of a polygon of the mesh plus one, 0 for nothing. [H, W] */
export function visibleSurfaces(
  mesh: readonly Polygon[],
  camera: CameraRecord,
  { width, height }: Pick<PictureSize, 'width' | 'height'>,
): Uint16Array {
  return drawSurfaces(mesh, viewOf(camera, width, height)).surface
}

function drawSurfaces(mesh: readonly Polygon[], view: View): Buffers {
  const samples = view.width * view.height
  const buffers: Buffers = { inverse: new Float64Array(samples), surface: new Uint16Array(samples) }
  mesh.forEach((polygon, index) => {
    drawPolygon(project(polygon.points, view), index + 1, view, buffers)
  })
  return buffers
}

function viewOf(camera: CameraRecord, width: number, height: number): View {
  const forward = unit(minus(camera.target, camera.position))
  const right = unit(cross(forward, camera.up))
  const focal = height / 2 / Math.tan((camera.fov * Math.PI) / 360)
  return { width, height, focal, position: camera.position, right, up: cross(right, forward), forward }
}

/** Cuts away what lies behind the camera (Sutherland-Hodgman) and projects the rest. */
function project(points: readonly Vec3[], view: View): Seen[] {
  const local = points.map((point): Vec3 => {
    const offset = minus(point, view.position)
    return [dot(offset, view.right), dot(offset, view.up), dot(offset, view.forward)]
  })
  const kept = local.every((point) => point[2] >= near) ? local : clip(local)
  return kept.map(([x, y, z]) => ({
    x: view.width / 2 + (view.focal * x) / z,
    y: view.height / 2 - (view.focal * y) / z,
    inverse: 1 / z,
  }))
}

function clip(points: readonly Vec3[]): Vec3[] {
  return points.flatMap((point, i) => {
    const previous = points[(i + points.length - 1) % points.length] ?? point
    const crossing = previous[2] >= near !== point[2] >= near
    const t = (near - previous[2]) / (point[2] - previous[2])
    const cut: Vec3[] = crossing
      ? [[previous[0] + t * (point[0] - previous[0]), previous[1] + t * (point[1] - previous[1]), near]]
      : []
    return point[2] >= near ? [...cut, point] : cut
  })
}

function drawPolygon(points: readonly Seen[], surface: number, view: View, buffers: Buffers): void {
  const [first] = points
  if (first === undefined) return
  for (let i = 1; i + 1 < points.length; i++) {
    const [b, c] = [points[i], points[i + 1]]
    if (b !== undefined && c !== undefined) drawTriangle(first, b, c, surface, view, buffers)
  }
}

/** Fills the samples whose centres lie in the triangle and that are nearer than what is there; back sides are skipped. */
function drawTriangle(a: Seen, b: Seen, c: Seen, surface: number, view: View, buffers: Buffers): void {
  const area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
  if (area >= 0) return
  const left = Math.max(0, Math.floor(Math.min(a.x, b.x, c.x) - 0.5))
  const right = Math.min(view.width - 1, Math.ceil(Math.max(a.x, b.x, c.x) - 0.5))
  const top = Math.max(0, Math.floor(Math.min(a.y, b.y, c.y) - 0.5))
  const bottom = Math.min(view.height - 1, Math.ceil(Math.max(a.y, b.y, c.y) - 0.5))
  const [wa, wb] = [edge(b, c, area), edge(c, a, area)]
  for (let y = top; y <= bottom; y++) {
    let alpha = wa.x * (left + 0.5) + wa.y * (y + 0.5) + wa.constant
    let beta = wb.x * (left + 0.5) + wb.y * (y + 0.5) + wb.constant
    for (let at = y * view.width + left; at <= y * view.width + right; at++) {
      const gamma = 1 - alpha - beta
      if (alpha >= -1e-9 && beta >= -1e-9 && gamma >= -1e-9) {
        const inverse = alpha * a.inverse + beta * b.inverse + gamma * c.inverse
        if (inverse > (buffers.inverse[at] ?? 0)) {
          buffers.inverse[at] = inverse
          buffers.surface[at] = surface
        }
      }
      alpha += wa.x
      beta += wb.x
    }
  }
}

/** The barycentric weight of the corner opposite to an edge, as a linear function of the place. */
function edge(from: Seen, to: Seen, area: number): { x: number; y: number; constant: number } {
  const x = -(to.y - from.y) / area
  const y = (to.x - from.x) / area
  return { x, y, constant: -(x * from.x + y * from.y) }
}

/** Adds up the colours of each pixel's samples: [H, W, 3]. */
function shade(mesh: readonly Polygon[], view: View, buffers: Buffers, size: PictureSize): Float64Array {
  const sums = new Float64Array(size.width * size.height * 3)
  const rgb = new Float64Array(3)
  for (let y = 0, at = 0; y < view.height; y++) {
    const row = Math.floor(y / size.supersample) * size.width
    for (let x = 0; x < view.width; x++, at++) {
      const polygon = mesh[(buffers.surface[at] ?? 0) - 1]
      const pixel = 3 * (row + Math.floor(x / size.supersample))
      if (polygon?.paint === undefined) {
        add(sums, pixel, polygon?.color ?? outside)
      } else {
        paintSample(polygon.paint, x, y, 1 / (buffers.inverse[at] ?? 1), view, rgb)
        add(sums, pixel, rgb)
      }
    }
  }
  return sums
}

function add(sums: Float64Array, pixel: number, rgb: Color | Float64Array): void {
  sums[pixel] = (sums[pixel] ?? 0) + (rgb[0] ?? 0)
  sums[pixel + 1] = (sums[pixel + 1] ?? 0) + (rgb[1] ?? 0)
  sums[pixel + 2] = (sums[pixel + 2] ?? 0) + (rgb[2] ?? 0)
}

/** Goes back from the sample and its depth to the place in the room. */
function paintSample(
  paint: NonNullable<Polygon['paint']>,
  x: number,
  y: number,
  depth: number,
  view: View,
  rgb: Float64Array,
): void {
  const { position, right, up, forward } = view
  const a = ((x + 0.5 - view.width / 2) * depth) / view.focal
  const b = ((view.height / 2 - y - 0.5) * depth) / view.focal
  paint(
    position[0] + a * right[0] + b * up[0] + depth * forward[0],
    position[1] + a * right[1] + b * up[1] + depth * forward[1],
    position[2] + a * right[2] + b * up[2] + depth * forward[2],
    rgb,
  )
}
