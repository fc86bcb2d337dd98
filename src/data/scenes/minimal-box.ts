/**
 * The smallest oriented box around points, as Open3D's minimal box: one of its faces lies on a face of the convex hull, and
 * one of its edges along an edge of that face. All such boxes are tried.
 */
import { convexHull, extremes, type Face, hullCorners } from './convex-hull.js'
import { orientedBox } from './oriented-box.js'
import { cross, dot, minus, type Points, pointAt, unit } from './points.js'
import type { BoxRecord, Vec3 } from './record.js'

/** Points in one plane get this thickness, so that a sheet of paper has a box. Metres. */
const thickness = 0.001

/** The box; undefined for no points. */
export function minimalBox(points: Points): BoxRecord | undefined {
  if (points.length === 0) return undefined
  const hull = convexHull(thicken(points))
  const corners = hullCorners(hull)
  let best: Framed | undefined
  for (const frame of hull.flatMap(framesOf)) {
    const framed = enclose(corners, frame)
    if (best === undefined || framed.volume < best.volume) best = framed
  }
  return best && boxOf(best)
}

type Frame = readonly [Vec3, Vec3, Vec3]

interface Framed {
  readonly frame: Frame
  readonly from: Vec3
  readonly to: Vec3
  readonly volume: number
}

/** Right-handed: along an edge, within the face, out of the face. */
function framesOf({ points, normal }: Face): Frame[] {
  return points.map((point, i): Frame => {
    const along = unit(minus(points[(i + 1) % 3] ?? point, point))
    return [along, cross(normal, along), normal]
  })
}

function enclose(corners: readonly Vec3[], frame: Frame): Framed {
  const spans = frame.map((axis) => {
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const corner of corners) {
      const place = dot(axis, corner)
      from = Math.min(from, place)
      to = Math.max(to, place)
    }
    return { from, to }
  })
  const [a, b, c] = spans
  if (a === undefined || b === undefined || c === undefined) throw new RangeError('a frame has three axes')
  const volume = (a.to - a.from) * (b.to - b.from) * (c.to - c.from)
  return { frame, from: [a.from, b.from, c.from], to: [a.to, b.to, c.to], volume }
}

function boxOf({ frame, from, to }: Framed): BoxRecord {
  const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2, (from[2] + to[2]) / 2] as const
  const centre = (k: 0 | 1 | 2): number => frame.reduce((sum, axis, i) => sum + axis[k] * (middle[i] ?? 0), 0)
  return orientedBox([centre(0), centre(1), centre(2)], minus(to, from), frame.flat())
}

/** The points, moved half a thickness to both sides in every direction in which the cloud has no extent. */
function thicken(points: Points): Points {
  let thick = points
  for (let missing = 4 - extremes(thick).length; missing > 0; missing--)
    thick = toBothSides(thick, flatDirection(thick))
  return thick
}

/** A unit vector along which the cloud is flat. */
function flatDirection(points: Points): Vec3 {
  const [first, second, third] = extremes(points)
  if (first === undefined || second === undefined) return [0, 0, 1]
  const along = unit(minus(second, first))
  if (third !== undefined) return unit(cross(along, minus(third, first)))
  return unit(cross(along, Math.abs(along[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0]))
}

function toBothSides(points: Points, direction: Vec3): Points {
  const count = points.length / 3
  const moved = new Float64Array(2 * points.length)
  for (let i = 0; i < count; i++) {
    const [x, y, z] = pointAt(points, i)
    for (const side of [0, 1]) {
      const by = (side - 0.5) * thickness
      moved.set([x + by * direction[0], y + by * direction[1], z + by * direction[2]], 3 * (i + side * count))
    }
  }
  return moved
}
