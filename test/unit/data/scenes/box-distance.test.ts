import { describe, expect, it } from 'vitest'
import { boxDistance, closestDistance, keepApart } from '../../../../src/data/scenes/box-distance.js'
import { orientedBox, pointInBox, uprightBox } from '../../../../src/data/scenes/oriented-box.js'
import type { BoxRecord, Vec3 } from '../../../../src/data/scenes/record.js'
import { randomStream } from '../../../../src/random.js'
import { approached, randomAxes } from './brute-force.js'

const random = randomStream('pairs')

function anyBox(): BoxRecord {
  const length = (): number => random.uniform([0.02, 1.5])
  const place = (): number => random.uniform([0, 2.5])
  return orientedBox([place(), place(), place()], [length(), length(), length()], randomAxes(random))
}

describe('boxDistance', () => {
  it('is what projecting back and forth between the boxes converges to, however they are turned', () => {
    const excess: number[] = []
    let apart = 0
    for (let i = 0; i < 400; i++) {
      const [a, b] = [anyBox(), anyBox()]
      const distance = boxDistance(a, b)
      excess.push(approached(a, b) - distance)
      if (distance > 0) apart++
      expect(boxDistance(b, a)).toBeCloseTo(distance, 12)
      expect(keepApart(a, b, 0.4)).toBe(distance >= 0.4)
    }
    excess.sort((x, y) => x - y)
    const [least, median, most] = [excess[0] ?? 1, excess[200] ?? 1, excess.at(-1) ?? 1]
    console.log(
      `box distance: projections end ${median.toExponential(1)} m above (median), ${most.toExponential(1)} (most)`,
    )
    // From above, and slowly where two boxes nearly touch.
    expect(least).toBeGreaterThan(-1e-9)
    expect(median).toBeLessThan(1e-9)
    expect(most).toBeLessThan(2e-3)
    expect(apart).toBeGreaterThan(200)
    expect(apart).toBeLessThan(390)
  })

  it('is never more than between any two points of the boxes', () => {
    for (let i = 0; i < 40; i++) {
      const [a, b] = [anyBox(), anyBox()]
      const distance = boxDistance(a, b)
      for (let k = 0; k < 200; k++) {
        const point = (box: BoxRecord): Vec3 => pointInBox(box, random.next(), random.next(), random.next())
        const [p, q] = [point(a), point(b)]
        expect(distance).toBeLessThanOrEqual(Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) + 1e-12)
      }
    }
  })

  it('measures face to face, corner to corner and across heights', () => {
    const cube = uprightBox([0, 0], [1, 1, 1], 0)
    expect(boxDistance(cube, uprightBox([3, 0], [1, 1, 1], 0))).toBeCloseTo(2, 12)
    expect(boxDistance(cube, uprightBox([4, 5], [1, 1, 1], 0))).toBeCloseTo(5, 12)
    expect(boxDistance(cube, uprightBox([0, 0], [1, 1, 1], 0.3, 3))).toBeCloseTo(2, 12)
    expect(boxDistance(cube, uprightBox([0.9, 0], [1, 1, 1], 0.5))).toBe(0)
  })

  it('sees that a leaning box reaches less far than the upright box around it', () => {
    const half = Math.SQRT1_2
    const leaning = orientedBox([0, 0, 0], [2, 2, 0.1], [half, 0, half, 0, 1, 0, -half, 0, half])
    // Beyond the middle of its underside, which its footprint and its height would cover.
    const below = orientedBox([0.5, 0, -0.5], [0.1, 0.1, 0.1], [1, 0, 0, 0, 1, 0, 0, 0, 1])
    expect(boxDistance(leaning, below)).toBeCloseTo(half - 0.05 - 0.05 * Math.SQRT2, 12)
  })

  it('has the edge-on-edge case', () => {
    const half = Math.SQRT1_2
    const ridge = orientedBox([0, 0, 0], [2, 1, 1], [1, 0, 0, 0, half, half, 0, -half, half])
    const across = orientedBox([0, 0, 3], [1, 2, 1], [half, 0, half, 0, 1, 0, -half, 0, half])
    expect(boxDistance(ridge, across)).toBeCloseTo(3 - 2 * half, 12)
  })
})

describe('closestDistance', () => {
  it('is the least over two lists, infinite when one is empty', () => {
    const at = (x: number): BoxRecord => uprightBox([x, 0], [1, 1, 1], 0)
    expect(closestDistance([at(0), at(10)], [at(4), at(20)])).toBeCloseTo(3, 12)
    expect(closestDistance([], [at(4)])).toBe(Number.POSITIVE_INFINITY)
  })
})
