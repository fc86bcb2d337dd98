import { describe, expect, it } from 'vitest'
import { boxDistance, footprint, keepApart, turnAngle, uprightBox } from '../../../../src/data/rooms/geometry.js'
import { randomStream } from '../../../../src/data/rooms/random.js'
import type { BoxRecord } from '../../../../src/data/rooms/record.js'
import { sampledDistance } from './brute-force.js'

describe('boxDistance', () => {
  it('agrees with a dense sampling of both boxes for eighty random pairs', () => {
    const random = randomStream('pairs')
    const box = (): BoxRecord =>
      uprightBox(
        [random.uniform([0, 4]), random.uniform([0, 4])],
        [random.uniform([0.3, 1.5]), random.uniform([0.3, 1.5]), random.uniform([0.3, 1])],
        random.uniform([0, 7]),
        random.uniform([0, 1.5]),
      )
    for (let i = 0; i < 80; i++) {
      const [a, b] = [box(), box()]
      const sampled = sampledDistance(a, b, 12, 5)
      expect(boxDistance(a, b)).toBeLessThanOrEqual(sampled + 1e-9)
      expect(boxDistance(a, b)).toBeGreaterThan(sampled - 0.16)
      expect(boxDistance(b, a)).toBeCloseTo(boxDistance(a, b), 12)
      expect(keepApart(a, b, 0.5)).toBe(boxDistance(a, b) >= 0.5)
    }
  })

  it('measures face to face, corner to corner and across heights', () => {
    const cube = uprightBox([0, 0], [1, 1, 1], 0)
    expect(boxDistance(cube, uprightBox([3, 0], [1, 1, 1], 0))).toBeCloseTo(2, 12)
    expect(boxDistance(cube, uprightBox([4, 5], [1, 1, 1], 0))).toBeCloseTo(5, 12)
    expect(boxDistance(cube, uprightBox([0, 0], [1, 1, 1], 0.3, 3))).toBeCloseTo(2, 12)
    expect(boxDistance(cube, uprightBox([0.9, 0], [1, 1, 1], 0.5))).toBe(0)
  })
})

describe('footprint', () => {
  it('is the same whichever axis of the record is the vertical one', () => {
    const box = uprightBox([1, 2], [2, 1, 3], 0.4)
    const [x, y, z] = [box.normalizedAxes.slice(0, 3), box.normalizedAxes.slice(3, 6), box.normalizedAxes.slice(6)]
    const turned: BoxRecord = { ...box, axesLengths: [1, 3, 2], normalizedAxes: [...y, ...z, ...x] }
    const corners = (b: BoxRecord): string[] =>
      footprint(b)
        .map((p) => p.map((v) => v.toFixed(9)).join())
        .sort()
    expect(corners(turned)).toEqual(corners(box))
    expect(boxDistance(turned, uprightBox([5, 2], [1, 1, 1], 0))).toBeCloseTo(
      boxDistance(box, uprightBox([5, 2], [1, 1, 1], 0)),
      9,
    )
  })
})

describe('turnAngle', () => {
  it('runs counter-clockwise from the facing direction', () => {
    const at = (x: number, y: number): BoxRecord => uprightBox([x, y], [0.1, 0.1, 1], 0)
    expect(turnAngle(at(0, 0), at(0, 1), at(-1, 0))).toBeCloseTo(90, 9)
    expect(turnAngle(at(0, 0), at(0, 1), at(1, 0))).toBeCloseTo(270, 9)
    expect(turnAngle(at(0, 0), at(0, 1), at(0, -1))).toBeCloseTo(180, 9)
  })
})
