/** Oriented boxes: how they stand, their corners, and bearings between their centres. */
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

/** A box from its centre, sides and axes; `min` and `max` are computed. */
export function orientedBox(centroid: Vec3, axesLengths: Vec3, normalizedAxes: readonly number[]): BoxRecord {
  const reach = (k: 0 | 1 | 2): number =>
    axesLengths.reduce((sum, length, i) => sum + Math.abs(normalizedAxes[3 * i + k] ?? 0) * (length / 2), 0)
  const [x, y, z] = [reach(0), reach(1), reach(2)]
  return {
    centroid,
    axesLengths,
    normalizedAxes,
    min: [centroid[0] - x, centroid[1] - y, centroid[2] - z],
    max: [centroid[0] + x, centroid[1] + y, centroid[2] + z],
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

/** The eight corners; bit i of a corner's index says on which side of axis i it lies. */
export function corners(box: BoxRecord): Vec3[] {
  return Array.from({ length: 8 }, (_, i) => pointInBox(box, i & 1, (i >> 1) & 1, (i >> 2) & 1))
}

/** The four corners of the footprint, counter-clockwise, whichever of the box's axes is the vertical one. */
export function footprint(box: BoxRecord): Point[] {
  const up = verticalAxis(box)
  const corner = (u: number, v: number): Point => {
    const [x, y] = up === 2 ? pointInBox(box, u, v, 0) : up === 1 ? pointInBox(box, v, 0, u) : pointInBox(box, 0, u, v)
    return [x, y]
  }
  const around = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)]
  return signedArea(around) < 0 ? around.reverse() : around
}

/** Metres between the centres of two boxes. */
export function centreDistance(a: BoxRecord, b: BoxRecord): number {
  const [ax, ay, az] = a.centroid
  const [bx, by, bz] = b.centroid
  return Math.sqrt((ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2)
}

/** Angle in degrees, counter-clockwise in [0, 360), from looking at `facing` to looking at `query`, standing at `stand`. */
export function turnAngle(stand: BoxRecord, facing: BoxRecord, query: BoxRecord): number {
  return turnAngleTo(stand, facing, query.centroid)
}

/** The same for any point. Only the floor plan counts. */
export function turnAngleTo(stand: BoxRecord, facing: BoxRecord, query: Vec3): number {
  const bearing = (to: Vec3): number => Math.atan2(to[1] - stand.centroid[1], to[0] - stand.centroid[0])
  const degrees = ((bearing(query) - bearing(facing.centroid)) * 180) / Math.PI
  return ((degrees % 360) + 360) % 360
}

function verticalAxis(box: BoxRecord): 0 | 1 | 2 {
  const tilt = (row: number): number => Math.abs(box.normalizedAxes[3 * row + 2] ?? 0)
  if (tilt(2) >= tilt(1) && tilt(2) >= tilt(0)) return 2
  return tilt(1) >= tilt(0) ? 1 : 0
}

function signedArea(polygon: readonly Point[]): number {
  return polygon.reduce((sum, [x0, y0], i) => {
    const [x1, y1] = polygon[(i + 1) % polygon.length] ?? [x0, y0]
    return sum + (x0 * y1 - x1 * y0) / 2
  }, 0)
}
