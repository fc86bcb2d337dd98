/**
 * How far two boxes are apart, exactly, however they are turned. Two boxes that some axis separates are closest at a corner
 * of one and the other's surface, or at two edges; all of these pairs are tried.
 */
import type { BoxRecord } from './record.js'

/** A box unpacked for arithmetic. */
interface Solid {
  readonly center: Float64Array
  /** Half the side lengths. */
  readonly half: Float64Array
  /** Three unit axes, one after the other. */
  readonly axes: Float64Array
  /** Eight points; bit i of an index says on which side of axis i the corner lies. */
  readonly corners: Float64Array
}

const solids = new WeakMap<BoxRecord, Solid>()

/** Metres between the closest points of two boxes; 0 where they touch or overlap. */
export function boxDistance(a: BoxRecord, b: BoxRecord): number {
  const [first, second] = [solidOf(a), solidOf(b)]
  if (!separated(first, second)) return 0
  const least = Math.min(cornersToBox(first, second), cornersToBox(second, first), edgesToEdges(first, second))
  return Math.sqrt(least)
}

/** The least distance between any two boxes of two lists; infinite when one is empty. */
export function closestDistance(a: readonly BoxRecord[], b: readonly BoxRecord[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const first of a) {
    for (const second of b) least = Math.min(least, boxDistance(first, second))
  }
  return least
}

/** Whether two boxes keep `gap` metres apart; far boxes are told by their axis-aligned boxes alone. */
export function keepApart(a: BoxRecord, b: BoxRecord, gap: number): boolean {
  const apart = (axis: 0 | 1 | 2): number => Math.max(a.min[axis] - b.max[axis], b.min[axis] - a.max[axis])
  return Math.max(apart(0), apart(1), apart(2)) >= gap || boxDistance(a, b) >= gap
}

/** The squared distance from a point to a box, in the box's own axes. */
function pointToBox(box: Solid, x: number, y: number, z: number): number {
  const [dx, dy, dz] = [x - at(box.center, 0), y - at(box.center, 1), z - at(box.center, 2)]
  let sum = 0
  for (let i = 0; i < 3; i++) {
    const along = dx * at(box.axes, 3 * i) + dy * at(box.axes, 3 * i + 1) + dz * at(box.axes, 3 * i + 2)
    const beyond = Math.abs(along) - at(box.half, i)
    if (beyond > 0) sum += beyond * beyond
  }
  return sum
}

function cornersToBox(from: Solid, to: Solid): number {
  const { corners } = from
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 24; i += 3) {
    least = Math.min(least, pointToBox(to, at(corners, i), at(corners, i + 1), at(corners, i + 2)))
  }
  return least
}

/** The twelve edges, as pairs of corners that differ in one bit. */
const edges = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((corner) =>
  [1, 2, 4].flatMap((bit) => ((corner & bit) === 0 ? [[corner, corner | bit] as const] : [])),
)

function edgesToEdges(a: Solid, b: Solid): number {
  let least = Number.POSITIVE_INFINITY
  for (const [from, to] of edges) {
    for (const [start, end] of edges) {
      least = Math.min(least, segmentToSegment(a.corners, 3 * from, 3 * to, b.corners, 3 * start, 3 * end))
    }
  }
  return least
}

/**
 * The squared distance between the lines' closest points where both lie within their segments; else infinite, for then an
 * end of a segment is closest, and `cornersToBox` has it.
 */
function segmentToSegment(a: Float64Array, a0: number, a1: number, b: Float64Array, b0: number, b1: number): number {
  const [ux, uy, uz] = [at(a, a1) - at(a, a0), at(a, a1 + 1) - at(a, a0 + 1), at(a, a1 + 2) - at(a, a0 + 2)]
  const [vx, vy, vz] = [at(b, b1) - at(b, b0), at(b, b1 + 1) - at(b, b0 + 1), at(b, b1 + 2) - at(b, b0 + 2)]
  const [wx, wy, wz] = [at(a, a0) - at(b, b0), at(a, a0 + 1) - at(b, b0 + 1), at(a, a0 + 2) - at(b, b0 + 2)]
  const uu = ux * ux + uy * uy + uz * uz
  const uv = ux * vx + uy * vy + uz * vz
  const vv = vx * vx + vy * vy + vz * vz
  const uw = ux * wx + uy * wy + uz * wz
  const vw = vx * wx + vy * wy + vz * wz
  const area = uu * vv - uv * uv
  const s = (uv * vw - vv * uw) / area
  const t = (uu * vw - uv * uw) / area
  // Parallel edges give NaN or nonsense beyond the ends; their ends are as close as any other of their points.
  if (!(s >= 0 && s <= 1 && t >= 0 && t <= 1)) return Number.POSITIVE_INFINITY
  const [dx, dy, dz] = [wx + s * ux - t * vx, wy + s * uy - t * vy, wz + s * uz - t * vz]
  return dx * dx + dy * dy + dz * dz
}

/** Separating axes: two boxes are apart when some axis of one, or product of an axis of each, has a gap between them. */
function separated(a: Solid, b: Solid): boolean {
  const gap = (x: number, y: number, z: number): boolean => {
    const [dx, dy, dz] = [
      at(b.center, 0) - at(a.center, 0),
      at(b.center, 1) - at(a.center, 1),
      at(b.center, 2) - at(a.center, 2),
    ]
    return Math.abs(dx * x + dy * y + dz * z) > reach(a, x, y, z) + reach(b, x, y, z)
  }
  for (let i = 0; i < 9; i += 3) {
    if (gap(at(a.axes, i), at(a.axes, i + 1), at(a.axes, i + 2))) return true
    if (gap(at(b.axes, i), at(b.axes, i + 1), at(b.axes, i + 2))) return true
  }
  for (let i = 0; i < 9; i += 3) {
    for (let j = 0; j < 9; j += 3) {
      const [ax, ay, az] = [at(a.axes, i), at(a.axes, i + 1), at(a.axes, i + 2)]
      const [bx, by, bz] = [at(b.axes, j), at(b.axes, j + 1), at(b.axes, j + 2)]
      const [x, y, z] = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
      // Nearly parallel axes have no cross product worth testing, and the axes themselves were tested above.
      if (x * x + y * y + z * z > 1e-12 && gap(x, y, z)) return true
    }
  }
  return false
}

/** How far a box reaches from its centre along a direction. */
function reach(box: Solid, x: number, y: number, z: number): number {
  let sum = 0
  for (let i = 0; i < 3; i++) {
    const along = x * at(box.axes, 3 * i) + y * at(box.axes, 3 * i + 1) + z * at(box.axes, 3 * i + 2)
    sum += Math.abs(along) * at(box.half, i)
  }
  return sum
}

function solidOf(box: BoxRecord): Solid {
  const known = solids.get(box)
  if (known !== undefined) return known
  const solid = unpack(box)
  solids.set(box, solid)
  return solid
}

function unpack(box: BoxRecord): Solid {
  const [center, axes] = [Float64Array.from(box.centroid), Float64Array.from(box.normalizedAxes)]
  const half = Float64Array.from(box.axesLengths, (length) => length / 2)
  const corners = new Float64Array(24)
  for (let corner = 0; corner < 8; corner++) {
    for (let k = 0; k < 3; k++) {
      let value = at(center, k)
      for (let i = 0; i < 3; i++) value += ((corner >> i) & 1 ? 1 : -1) * at(half, i) * at(axes, 3 * i + k)
      corners[3 * corner + k] = value
    }
  }
  return { center, half, axes, corners }
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? 0
}
