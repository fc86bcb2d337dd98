/** Point clouds as flat lists of x, y, z, and the few sums that are done with them. */
import type { Vec3 } from './record.js'

/** n points as 3 n numbers. */
export type Points = Float64Array

export function pointAt(points: Points, index: number): Vec3 {
  return [points[3 * index] ?? 0, points[3 * index + 1] ?? 0, points[3 * index + 2] ?? 0]
}

/** The points with these indices. */
export function pickPoints(points: Points, indices: readonly number[]): Points {
  const picked = new Float64Array(3 * indices.length)
  for (const [i, index] of indices.entries()) picked.set(pointAt(points, index), 3 * i)
  return picked
}

/** Rows of a 4 x 4 matrix, one after the other, applied to every point. */
export function transform(points: Points, matrix: readonly number[]): Points {
  const moved = new Float64Array(points.length)
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = pointAt(points, i / 3)
    for (let row = 0; row < 3; row++) {
      const [a = 0, b = 0, c = 0, d = 0] = matrix.slice(4 * row, 4 * row + 4)
      moved[i + row] = a * x + b * y + c * z + d
    }
  }
  return moved
}

export function minus(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/** A unit vector; [0, 0, 0] stays what it is. */
export function unit(a: Vec3): Vec3 {
  const length = Math.sqrt(dot(a, a)) || 1
  return [a[0] / length, a[1] / length, a[2] / length]
}
