/**
 * The floor area that points cover, as VSI-Bench's room sizes were made: the alpha shape of the points seen from above, that
 * is all Delaunay triangles whose circle has a radius below 1 / alpha. What the shape encloses belongs to it.
 */
import { randomStream } from '../../random.js'
import { delaunay, type Triangulation } from './delaunay.js'
import type { Points } from './points.js'

/** The benchmark's: circles of 0.2 m, on ten thousand of the points. */
const alpha = 5
const mostPoints = 10_000
/** Scans can lie on a grid, with four points on a circle; a hundredth of a millimetre decides between them. */
const jitter = 1e-5

/** Square metres; `seed` names the draw of points and should be the scene's name. */
export function floorArea(points: Points, seed: string): number {
  const mesh = delaunay(seenFromAbove(points, seed))
  const outside = outsideOf(mesh)
  let area = 0
  for (let t = 0; t < mesh.corners.length / 3; t++) {
    if (!outside.has(t)) area += sizesOf(mesh, t).area
  }
  return area
}

function seenFromAbove(points: Points, seed: string): Float64Array {
  const random = randomStream('floor', seed)
  const count = points.length / 3
  const places = new Map<string, readonly [number, number]>()
  const add = (i: number): void => {
    const [x, y] = [points[3 * i] ?? 0, points[3 * i + 1] ?? 0]
    places.set(`${x},${y}`, [x + random.uniform([-jitter, jitter]), y + random.uniform([-jitter, jitter])])
  }
  if (count <= mostPoints) for (let i = 0; i < count; i++) add(i)
  else for (let i = 0; i < mostPoints; i++) add(random.integer([0, count - 1]))
  return Float64Array.from([...places.values()].flat())
}

/** Triangles that are no part of the shape and hang together with the outside. */
function outsideOf(mesh: Triangulation): Set<number> {
  const isOuter = (t: number): boolean => [0, 1, 2].some((i) => (mesh.corners[3 * t + i] ?? 0) >= mesh.count)
  const all = Array.from({ length: mesh.corners.length / 3 }, (_, t) => t)
  const outside = new Set(all.filter(isOuter))
  for (const t of outside) {
    for (let i = 0; i < 3; i++) {
      const next = mesh.neighbours[3 * t + i] ?? -1
      if (next >= 0 && !outside.has(next) && sizesOf(mesh, next).radius >= 1 / alpha) outside.add(next)
    }
  }
  return outside
}

function sizesOf({ places, corners }: Triangulation, t: number): { area: number; radius: number } {
  const place = (i: number): readonly [number, number] => {
    const corner = corners[3 * t + i] ?? 0
    return [places[2 * corner] ?? 0, places[2 * corner + 1] ?? 0]
  }
  const [a, b, c] = [place(0), place(1), place(2)]
  const area = Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
  const side = (p: readonly [number, number], q: readonly [number, number]): number =>
    Math.hypot(p[0] - q[0], p[1] - q[1])
  return { area, radius: (side(a, b) * side(b, c) * side(c, a)) / (4 * area) }
}
