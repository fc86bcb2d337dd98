import { describe, expect, it } from 'vitest'
import { boxDistance } from '../../../../src/data/scenes/box-distance.js'
import {
  centreDistance,
  corners,
  footprint,
  orientedBox,
  turnAngle,
  uprightBox,
} from '../../../../src/data/scenes/oriented-box.js'
import type { BoxRecord } from '../../../../src/data/scenes/record.js'
import { randomStream } from '../../../../src/random.js'
import { randomAxes } from './brute-force.js'

describe('orientedBox', () => {
  it('puts the axis-aligned box around all corners, tightly', () => {
    const random = randomStream('around')
    for (let i = 0; i < 30; i++) {
      const box = orientedBox([1, 2, 3], [random.next(), random.next(), random.next()], randomAxes(random))
      for (const k of [0, 1, 2] as const) {
        const places = corners(box).map((corner) => corner[k])
        expect(Math.min(...places)).toBeCloseTo(box.min[k], 12)
        expect(Math.max(...places)).toBeCloseTo(box.max[k], 12)
      }
    }
  })

  it('agrees with uprightBox', () => {
    const box = uprightBox([1, 2], [2, 1, 3], 0.4)
    const again = orientedBox(box.centroid, box.axesLengths, box.normalizedAxes)
    for (const k of [0, 1, 2] as const) expect(again.min[k]).toBeCloseTo(box.min[k], 12)
  })
})

describe('footprint', () => {
  it('is the same whichever axis of the record is the vertical one', () => {
    const box = uprightBox([1, 2], [2, 1, 3], 0.4)
    const [x, y, z] = [box.normalizedAxes.slice(0, 3), box.normalizedAxes.slice(3, 6), box.normalizedAxes.slice(6)]
    const turned: BoxRecord = { ...box, axesLengths: [1, 3, 2], normalizedAxes: [...y, ...z, ...x] }
    const rounded = (b: BoxRecord): string[] =>
      footprint(b)
        .map((p) => p.map((v) => v.toFixed(9)).join())
        .sort()
    expect(rounded(turned)).toEqual(rounded(box))
    const other = uprightBox([5, 2], [1, 1, 1], 0)
    expect(boxDistance(turned, other)).toBeCloseTo(boxDistance(box, other), 9)
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

describe('centreDistance', () => {
  it('counts all three axes', () => {
    expect(centreDistance(uprightBox([0, 0], [1, 1, 2], 0), uprightBox([2, 3], [1, 1, 2], 0, 6))).toBe(7)
  })
})
