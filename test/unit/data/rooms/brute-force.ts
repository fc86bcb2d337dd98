/** Slow, obvious versions of what the rooms compute, for comparison in tests. */
import type { BoxRecord, Vec3 } from '../../../../src/data/rooms/record.js'

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
