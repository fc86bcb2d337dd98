/**
 * Geometry of oriented boxes. Distances treat a box as an upright prism (footprint times height), which is exact for
 * generated rooms: their boxes turn about the vertical only.
 */
import type { BoxRecord, Vec3 } from './record.js'

export type Point = readonly [number, number]

/** An upright box of size (length, width, height) standing with its underside at `bottom`, turned by `yaw` radians. */
export function uprightBox(center: Point, size: Vec3, yaw: number, bottom = 0): BoxRecord {
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)]
  const [length, width, height] = size
  const [x, y] = center
  const halfX = (Math.abs(cos) * length + Math.abs(sin) * width) / 2
  const halfY = (Math.abs(sin) * length + Math.abs(cos) * width) / 2
  return {
    centroid: [x, y, bottom + height / 2],
    axesLengths: size,
    normalizedAxes: [cos, sin, 0, -sin, cos, 0, 0, 0, 1],
    min: [x - halfX, y - halfY, bottom],
    max: [x + halfX, y + halfY, bottom + height],
  }
}

/** Maps (u, v, w) in [0, 1]^3 along the box's axes into the room. */
export function pointInBox(box: BoxRecord, u: number, v: number, w: number): Vec3 {
  const [lx, ly, lz] = box.axesLengths
  const [a, b, c] = [(u - 0.5) * lx, (v - 0.5) * ly, (w - 0.5) * lz]
  const axis = (row: number, column: number): number => box.normalizedAxes[3 * row + column] ?? 0
  const along = (column: 0 | 1 | 2): number =>
    box.centroid[column] + a * axis(0, column) + b * axis(1, column) + c * axis(2, column)
  return [along(0), along(1), along(2)]
}

/** The four corners of the footprint, counter-clockwise, whichever of the box's axes is the vertical one. */
export function footprint(box: BoxRecord): Point[] {
  const up = verticalAxis(box)
  const corner = (u: number, v: number): Point => {
    const [x, y] = up === 2 ? pointInBox(box, u, v, 0) : up === 1 ? pointInBox(box, v, 0, u) : pointInBox(box, 0, u, v)
    return [x, y]
  }
  const corners = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)]
  return signedArea(corners) < 0 ? corners.reverse() : corners
}

/** Whether two upright boxes keep `gap` metres apart; far boxes are told by their axis-aligned boxes alone. */
export function keepApart(a: BoxRecord, b: BoxRecord, gap: number): boolean {
  const apart = (axis: 0 | 1): number => Math.max(a.min[axis] - b.max[axis], b.min[axis] - a.max[axis])
  return Math.max(apart(0), apart(1)) >= gap || boxDistance(a, b) >= gap
}

/** Distance in metres between the closest points of two upright boxes; 0 where they touch or overlap. */
export function boxDistance(a: BoxRecord, b: BoxRecord): number {
  const vertical = Math.max(0, a.min[2] - b.max[2], b.min[2] - a.max[2])
  const horizontal = polygonDistance(sides(a), sides(b))
  return Math.sqrt(horizontal * horizontal + vertical * vertical)
}

/** The least distance between any two boxes of two lists. */
export function categoryDistance(a: readonly BoxRecord[], b: readonly BoxRecord[]): number {
  return Math.min(...a.flatMap((first) => b.map((second) => boxDistance(first, second))))
}

/**
 * Angle in degrees, counter-clockwise in [0, 360), from looking at `facing` to looking at `query`, standing at `stand`.
 */
export function turnAngle(stand: BoxRecord, facing: BoxRecord, query: BoxRecord): number {
  const bearing = (to: BoxRecord): number =>
    Math.atan2(to.centroid[1] - stand.centroid[1], to.centroid[0] - stand.centroid[0])
  const degrees = ((bearing(query) - bearing(facing)) * 180) / Math.PI
  return ((degrees % 360) + 360) % 360
}

function verticalAxis(box: BoxRecord): 0 | 1 | 2 {
  const tilt = (row: number): number => Math.abs(box.normalizedAxes[3 * row + 2] ?? 0)
  if (tilt(2) >= tilt(1) && tilt(2) >= tilt(0)) return 2
  return tilt(1) >= tilt(0) ? 1 : 0
}

type Edge = readonly [Point, Point]

function signedArea(polygon: readonly Point[]): number {
  return edgesOf(polygon).reduce((sum, [[x0, y0], [x1, y1]]) => sum + (x0 * y1 - x1 * y0) / 2, 0)
}

const sidesOf = new WeakMap<BoxRecord, readonly Edge[]>()

/** The footprint's sides, computed once per box. */
function sides(box: BoxRecord): readonly Edge[] {
  const known = sidesOf.get(box) ?? edgesOf(footprint(box))
  sidesOf.set(box, known)
  return known
}

function polygonDistance(a: readonly Edge[], b: readonly Edge[]): number {
  if (!separatedByEdge(a, b) && !separatedByEdge(b, a)) return 0
  return Math.min(cornersToEdges(a, b), cornersToEdges(b, a))
}

/** Separating axes: two convex polygons are apart when some edge has all of the other polygon outside. */
function separatedByEdge(a: readonly Edge[], b: readonly Edge[]): boolean {
  return a.some(([[x0, y0], [x1, y1]]) => b.every(([[x, y]]) => (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) <= 0))
}

function cornersToEdges(a: readonly Edge[], b: readonly Edge[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const [corner] of a) {
    for (const [from, to] of b) least = Math.min(least, pointToSegment(corner, from, to))
  }
  return least
}

function pointToSegment([x, y]: Point, [x0, y0]: Point, [x1, y1]: Point): number {
  const [dx, dy] = [x1 - x0, y1 - y0]
  const t = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)))
  const [ex, ey] = [x - x0 - t * dx, y - y0 - t * dy]
  return Math.sqrt(ex * ex + ey * ey)
}

function edgesOf(polygon: readonly Point[]): Edge[] {
  return polygon.flatMap((from, i): Edge[] => {
    const to = polygon[(i + 1) % polygon.length]
    return to === undefined ? [] : [[from, to]]
  })
}
