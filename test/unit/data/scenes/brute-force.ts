/** Slow, obvious versions of what the rooms and scenes compute, for comparison in tests. */

import type { BoxRecord, Vec3 } from '../../../../src/data/scenes/record.js'
import type { Random } from '../../../../src/random.js'

/** Points of a box on a grid of n + 1 along its first two axes and m + 1 along the third, surface and inside. */
export function samplePoints(box: BoxRecord, n: number, m = n): Vec3[] {
  const points: Vec3[] = []
  const [ax = 1, ay = 0, az = 0, bx = 0, by = 1, bz = 0, cx = 0, cy = 0, cz = 1] = box.normalizedAxes
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= n; j++) {
      for (let k = 0; k <= m; k++) {
        const u = (i / n - 0.5) * box.axesLengths[0]
        const v = (j / n - 0.5) * box.axesLengths[1]
        const w = (k / m - 0.5) * box.axesLengths[2]
        const [x, y, z] = box.centroid
        points.push([x + u * ax + v * bx + w * cx, y + u * ay + v * by + w * cy, z + u * az + v * bz + w * cz])
      }
    }
  }
  return points
}

/** Least distance between sampled points: never below the true one. */
export function sampledDistance(a: BoxRecord, b: BoxRecord, n: number, m = n): number {
  const others = samplePoints(b, n, m)
  let least = Number.POSITIVE_INFINITY
  for (const [x, y, z] of samplePoints(a, n, m)) {
    for (const [p, q, r] of others) least = Math.min(least, (x - p) ** 2 + (y - q) ** 2 + (z - r) ** 2)
  }
  return Math.sqrt(least)
}

/** Where `query` is for somebody at `stand` who looks at `facing`, in their own axes: metres to the right and ahead. */
export function seenFrom(stand: BoxRecord, facing: BoxRecord, query: BoxRecord): { right: number; ahead: number } {
  const look = { x: facing.centroid[0] - stand.centroid[0], y: facing.centroid[1] - stand.centroid[1] }
  const to = { x: query.centroid[0] - stand.centroid[0], y: query.centroid[1] - stand.centroid[1] }
  const length = Math.hypot(look.x, look.y)
  return { right: (to.x * look.y - to.y * look.x) / length, ahead: (to.x * look.x + to.y * look.y) / length }
}

/** Three random unit axes at right angles. */
export function randomAxes(random: Random): number[] {
  const draw = (): Vec3 => [random.uniform([-1, 1]), random.uniform([-1, 1]), random.uniform([-1, 1])]
  const unit = (v: Vec3): Vec3 => {
    const length = Math.hypot(...v)
    return [v[0] / length, v[1] / length, v[2] / length]
  }
  const cross = (p: Vec3, q: Vec3): Vec3 => [
    p[1] * q[2] - p[2] * q[1],
    p[2] * q[0] - p[0] * q[2],
    p[0] * q[1] - p[1] * q[0],
  ]
  const first = unit(draw())
  const third = unit(cross(first, draw()))
  return [...first, ...cross(third, first), ...third]
}

/** The distance that going back and forth between two boxes' nearest points arrives at. */
export function approached(a: BoxRecord, b: BoxRecord): number {
  let p: Vec3 = a.centroid
  let q: Vec3 = b.centroid
  for (let step = 0; step < 4000; step++) {
    q = nearestIn(b, p)
    p = nearestIn(a, q)
  }
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])
}

function nearestIn(box: BoxRecord, point: Vec3): Vec3 {
  const nearest: [number, number, number] = [...box.centroid]
  for (let i = 0; i < 3; i++) {
    const axis = box.normalizedAxes.slice(3 * i, 3 * i + 3)
    const along = axis.reduce((sum, value, k) => sum + value * ((point[k] ?? 0) - (box.centroid[k] ?? 0)), 0)
    const half = (box.axesLengths[i] ?? 0) / 2
    const clamped = Math.max(-half, Math.min(half, along))
    for (let k = 0; k < 3; k++) nearest[k] = (nearest[k] ?? 0) + clamped * (axis[k] ?? 0)
  }
  return nearest
}
