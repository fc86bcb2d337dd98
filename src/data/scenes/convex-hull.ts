/** The convex hull of a point cloud, built by adding one point after the other, the outermost first. */
import { randomStream } from '../../random.js'
import { cross, dot, minus, type Points, pointAt, unit } from './points.js'
import type { Vec3 } from './record.js'

/** Three points, counter-clockwise seen from outside, and the plane through them. */
export interface Face {
  readonly points: readonly [Vec3, Vec3, Vec3]
  readonly normal: Vec3
  /** Of the plane: dot(normal, p) = offset on it, more outside. */
  readonly offset: number
}

/** A cloud this thin, relative to its size, is flat: float32 files know no better. */
const flatness = 1e-6
/** How far points are moved, relative to the cloud's size: no four are in one plane then, and no three on one line. */
const jitter = 2e-7

/** The hull's faces, triangles all, right to a fraction of a thousandth of a millimetre; empty for a flat cloud. */
export function convexHull(points: Points): Face[] {
  const start = firstTetrahedron(points)
  if (start === undefined) return []
  const { size, corners } = start
  const moved = jittered(points, jitter * size)
  const [inside, faces] = tetrahedron(corners)
  let hull = faces
  for (const index of outermostFirst(moved, inside)) {
    const point = pointAt(moved, index)
    const isVisible = ({ normal, offset }: Face): boolean => dot(normal, point) > offset
    if (!hull.some(isVisible)) continue
    const seen = hull.filter(isVisible)
    const rim = horizon(seen).map(([a, b]) => face(a, b, point))
    hull = [...hull.filter((one) => !isVisible(one)), ...rim]
  }
  return hull
}

/** The hull's corners, each once. */
export function hullCorners(hull: readonly Face[]): Vec3[] {
  return [...new Map(hull.flatMap(({ points }) => points).map((point) => [point.join(), point])).values()]
}

function face(a: Vec3, b: Vec3, c: Vec3): Face {
  const normal = unit(cross(minus(b, a), minus(c, a)))
  return { points: [a, b, c], normal, offset: dot(normal, a) }
}

/** Edges with a visible face on one side only. */
function horizon(seen: readonly Face[]): [Vec3, Vec3][] {
  const open = new Map<string, [Vec3, Vec3]>()
  for (const { points } of seen) {
    for (let i = 0; i < 3; i++) {
      const [from, to] = [points[i] ?? points[0], points[(i + 1) % 3] ?? points[0]]
      if (!open.delete(`${to.join()}|${from.join()}`)) open.set(`${from.join()}|${to.join()}`, [from, to])
    }
  }
  return [...open.values()]
}

type Corners = readonly [Vec3, Vec3, Vec3, Vec3]

function firstTetrahedron(points: Points): { corners: Corners; size: number } | undefined {
  const [a, b, c, d] = extremes(points)
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
  return { corners: [a, b, c, d], size: Math.sqrt(squared(minus(b, a))) }
}

/** A point inside, and the four faces. */
function tetrahedron([a, b, c, d]: Corners): [Vec3, Face[]] {
  const inside: Vec3 = [mean(a[0], b[0], c[0], d[0]), mean(a[1], b[1], c[1], d[1]), mean(a[2], b[2], c[2], d[2])]
  const outward = (p: Vec3, q: Vec3, r: Vec3): Face => {
    const one = face(p, q, r)
    return dot(one.normal, inside) < one.offset ? one : face(p, r, q)
  }
  return [inside, [outward(a, b, c), outward(a, b, d), outward(a, c, d), outward(b, c, d)]]
}

function jittered(points: Points, by: number): Points {
  const random = randomStream('hull')
  return points.map((value) => value + random.uniform([-by, by]))
}

function mean(...values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Two points far apart, one far from their line, one far from the plane of the three; fewer where the cloud has no such
 * extent. Empty for no points.
 */
export function extremes(points: Points): Vec3[] {
  if (points.length === 0) return []
  const first = farthest(points, (p) => -p[0])
  const second = farthest(points, (p) => squared(minus(p, first)))
  const size = squared(minus(second, first))
  if (size === 0) return [first]
  const along = unit(minus(second, first))
  const third = farthest(points, (p) => squared(cross(along, minus(p, first))))
  if (squared(cross(along, minus(third, first))) <= flatness * flatness * size) return [first, second]
  const { normal, offset } = face(first, second, third)
  const height = (p: Vec3): number => Math.abs(dot(normal, p) - offset)
  const fourth = farthest(points, height)
  return height(fourth) ** 2 <= flatness * flatness * size ? [first, second, third] : [first, second, third, fourth]
}

function farthest(points: Points, score: (point: Vec3) => number): Vec3 {
  let best = pointAt(points, 0)
  let bestScore = score(best)
  for (let i = 1; i < points.length / 3; i++) {
    const point = pointAt(points, i)
    const value = score(point)
    if (value <= bestScore) continue
    best = point
    bestScore = value
  }
  return best
}

function outermostFirst(points: Points, inside: Vec3): Uint32Array {
  const distances = Float64Array.from({ length: points.length / 3 }, (_, i) =>
    squared(minus(pointAt(points, i), inside)),
  )
  return Uint32Array.from(distances.keys()).sort((i, j) => (distances[j] ?? 0) - (distances[i] ?? 0))
}

function squared(a: Vec3): number {
  return dot(a, a)
}
