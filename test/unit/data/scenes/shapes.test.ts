import { describe, expect, it } from 'vitest'
import { floorArea } from '../../../../src/data/scenes/alpha-shape.js'
import { convexHull, hullCorners } from '../../../../src/data/scenes/convex-hull.js'
import { delaunay } from '../../../../src/data/scenes/delaunay.js'
import { minimalBox } from '../../../../src/data/scenes/minimal-box.js'
import { orientedBox, pointInBox } from '../../../../src/data/scenes/oriented-box.js'
import { dot, pointAt } from '../../../../src/data/scenes/points.js'
import type { Vec3 } from '../../../../src/data/scenes/record.js'
import { randomStream } from '../../../../src/random.js'
import { randomAxes } from './brute-force.js'

const random = randomStream('shapes')

function cloud(count: number, point: () => readonly number[]): Float64Array {
  return Float64Array.from(Array.from({ length: count }, point).flat())
}

describe('convexHull', () => {
  it('has every point on its inner side and closes: V - E + F = 2', () => {
    const points = cloud(800, () => [random.uniform([0, 3]), random.uniform([0, 2]), random.uniform([0, 1])])
    const hull = convexHull(points)
    const outside = hull.flatMap(({ normal, offset }) =>
      Array.from({ length: 800 }, (_, i) => dot(normal, pointAt(points, i)) - offset),
    )
    expect(Math.max(...outside)).toBeLessThan(1e-5)
    expect(hullCorners(hull).length - hull.length / 2).toBe(2)
  })
})

describe('minimalBox', () => {
  it('finds the box that points fill, however it is turned', () => {
    for (let i = 0; i < 20; i++) {
      const sides: Vec3 = [random.uniform([0.1, 2]), random.uniform([0.1, 2]), random.uniform([0.1, 2])]
      const box = orientedBox([1, -2, 3], sides, randomAxes(random))
      const corners = [0, 1].flatMap((u) => [0, 1].flatMap((v) => [0, 1].flatMap((w) => pointInBox(box, u, v, w))))
      const inside = Array.from({ length: 300 }, () => pointInBox(box, random.next(), random.next(), random.next()))
      const found = minimalBox(Float64Array.from([...inside.flat(), ...corners]))
      const sorted = (lengths: readonly number[]): number[] => [...lengths].sort((a, b) => a - b)
      for (const [k, length] of sorted(sides).entries()) {
        expect(sorted(found?.axesLengths ?? [])[k]).toBeCloseTo(length, 5)
      }
      for (const k of [0, 1, 2] as const) expect(found?.centroid[k]).toBeCloseTo(box.centroid[k], 5)
    }
  })

  it('is never larger than the axis-aligned box, and holds all points', () => {
    const points = cloud(400, () => [random.uniform([0, 1]) ** 3, random.uniform([0, 2]), random.uniform([0, 1])])
    const box = minimalBox(points)
    if (box === undefined) throw new Error('no box')
    const volume = box.axesLengths.reduce((product, length) => product * length, 1)
    expect(volume).toBeLessThan(2)
    for (let i = 0; i < 400; i++) {
      const offset = pointAt(points, i).map((value, k) => value - (box.centroid[k] ?? 0))
      for (let axis = 0; axis < 3; axis++) {
        const along = offset.reduce((sum, value, k) => sum + value * (box.normalizedAxes[3 * axis + k] ?? 0), 0)
        expect(Math.abs(along)).toBeLessThan((box.axesLengths[axis] ?? 0) / 2 + 1e-5)
      }
    }
  })

  it('gives flat things a millimetre', () => {
    const sheet = cloud(50, () => [random.next(), 2 * random.next(), 1])
    expect(Math.min(...(minimalBox(sheet)?.axesLengths ?? []))).toBeCloseTo(0.001, 4)
    expect(minimalBox(Float64Array.from([1, 2, 3]))?.centroid[1]).toBeCloseTo(2, 4)
    expect(minimalBox(Float64Array.from([]))).toBeUndefined()
  })
})

describe('delaunay', () => {
  it('leaves no point inside a triangle’s circle, and covers the hull', () => {
    const count = 300
    const mesh = delaunay(cloud(count, () => [random.next(), random.next()]))
    let triangles = 0
    for (let t = 0; t < mesh.corners.length / 3; t++) {
      const corners = [...mesh.corners.slice(3 * t, 3 * t + 3)]
      if (corners.some((corner) => corner >= count)) continue
      triangles++
      const [a, b, c] = corners.map((k) => [mesh.places[2 * k] ?? 0, mesh.places[2 * k + 1] ?? 0])
      const [ax = 0, ay = 0, bx = 0, by = 0, cx = 0, cy = 0] = [...(a ?? []), ...(b ?? []), ...(c ?? [])]
      const d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
      const [aa, bb, cc] = [ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy]
      const x = (aa * (by - cy) + bb * (cy - ay) + cc * (ay - by)) / d
      const y = (aa * (cx - bx) + bb * (ax - cx) + cc * (bx - ax)) / d
      const radius = Math.hypot(ax - x, ay - y)
      const distances = Array.from({ length: count }, (_, k) =>
        Math.hypot((mesh.places[2 * k] ?? 0) - x, (mesh.places[2 * k + 1] ?? 0) - y),
      )
      expect(Math.min(...distances)).toBeGreaterThan(radius - 1e-9)
    }
    expect(triangles).toBeGreaterThan(2 * count - 60)
  })
})

describe('floorArea', () => {
  const grid = (inside: (x: number, y: number) => boolean): Float64Array => {
    const points: number[] = []
    for (let i = 0; i <= 120; i++) {
      for (let k = 0; k <= 80; k++) if (inside(i / 20, k / 20)) points.push(i / 20, k / 20, random.next())
    }
    return Float64Array.from(points)
  }

  it('follows the corners of an L-shaped room', () => {
    expect(
      floorArea(
        grid((x, y) => x <= 3 || y <= 2),
        'l',
      ),
    ).toBeCloseTo(18, 1)
  })

  it('counts what the room encloses, and two rooms of one scan', () => {
    const ring = floorArea(
      grid((x, y) => Math.hypot(x - 3, y - 2) > 0.8),
      'ring',
    )
    expect(ring).toBeCloseTo(24, 1)
    const two = floorArea(
      grid((x) => x <= 2 || x >= 3),
      'two',
    )
    expect(two).toBeCloseTo(20, 1)
  })

  it('is nothing for points on a line, equal points, one or none', () => {
    const line = cloud(400, () => Array<number>(3).fill(random.next()))
    const clouds = [line, new Float64Array(300), Float64Array.of(1, 2, 3), Float64Array.of()]
    for (const points of clouds) expect(floorArea(points, 'flat')).toBeCloseTo(0, 4)
  })

  it('takes ten thousand of many points, the same ones each time', () => {
    const many = cloud(60_000, () => [random.uniform([0, 8]), random.uniform([0, 5]), 0])
    const area = floorArea(many, 'many')
    expect(area).toBeGreaterThan(39)
    expect(area).toBeLessThan(40.01)
    expect(floorArea(many, 'many')).toBe(area)
  })
})
