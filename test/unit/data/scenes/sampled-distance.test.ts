import { describe, expect, it } from 'vitest'
import { boxDistance } from '../../../../src/data/scenes/box-distance.js'
import { measureOf } from '../../../../src/data/scenes/measure.js'
import { orientedBox, uprightBox } from '../../../../src/data/scenes/oriented-box.js'
import type { BoxRecord } from '../../../../src/data/scenes/record.js'
import { samplePoints } from '../../../../src/data/scenes/sample-points.js'
import { sampledDistance } from '../../../../src/data/scenes/sampled-distance.js'
import { type Random, randomStream } from '../../../../src/random.js'
import { randomAxes } from './brute-force.js'

/** Every pair of kept points. */
function leastOfAll(a: BoxRecord, b: BoxRecord): number {
  const [first, second] = [samplePoints(a).all, samplePoints(b).all]
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < first.length; i += 3) {
    for (let k = 0; k < second.length; k += 3) {
      const [dx, dy, dz] = [0, 1, 2].map((axis) => (first[i + axis] ?? 0) - (second[k + axis] ?? 0))
      least = Math.min(least, (dx ?? 0) ** 2 + (dy ?? 0) ** 2 + (dz ?? 0) ** 2)
    }
  }
  return Math.sqrt(least)
}

function drawBox(random: Random, reach: number, size: number): BoxRecord {
  const place = (): number => random.uniform([0, reach])
  const length = (): number => random.uniform([0.01, size])
  return orientedBox([place(), place(), place()], [length(), length(), length()], randomAxes(random))
}

describe('sampledDistance', () => {
  it.each([
    ['apart', 4, 0.9],
    ['overlapping and nested', 0.5, 0.9],
    ['thin', 1, 0.2],
  ])('is the least over all pairs of points, for boxes %s', (name, reach, size) => {
    const random = randomStream(name)
    for (let i = 0; i < 60; i++) {
      const [a, b] = [drawBox(random, reach, size), drawBox(random, reach, size)]
      const distance = sampledDistance([a], [b], samplePoints)
      expect(distance).toBeCloseTo(leastOfAll(a, b), 9)
      expect(distance).toBeGreaterThanOrEqual(boxDistance(a, b) - 1e-9)
    }
  })

  it('takes the closest two of several objects', () => {
    const random = randomStream('several')
    const [as, bs] = [
      [0, 1, 2],
      [0, 1, 2, 3],
    ].map((list) => list.map(() => drawBox(random, 6, 0.6)))
    const all = (as ?? []).flatMap((a) => (bs ?? []).map((b) => leastOfAll(a, b)))
    expect(sampledDistance(as ?? [], bs ?? [], samplePoints)).toBeCloseTo(Math.min(...all), 9)
  })
})

describe('samplePoints', () => {
  it('keeps a grid of at most 5 cm without the inner half, less what the crop loses on the faces', () => {
    const box = uprightBox([0.3, 0.4], [1.06, 0.6, 0.28], 0.7, 0.1)
    const { counts, all, shell } = samplePoints(box)
    expect([...counts]).toEqual([22, 12, 6])
    const lost = 22 * 12 * 6 - 10 * 6 * 2 - all.length / 3
    expect(lost).toBeGreaterThan(50)
    expect(lost).toBeLessThan(22 * 12 * 6 - 20 * 10 * 4)
    expect(shell.length).toBeLessThan(all.length + 1)
    for (let i = 0; i < all.length; i += 3) {
      const [x, y, z] = [all[i] ?? 0, all[i + 1] ?? 0, all[i + 2] ?? 0]
      expect(x > box.min[0] - 1e-9 && x < box.max[0] + 1e-9 && y > box.min[1] - 1e-9).toBe(true)
      expect(z).toBeGreaterThan(box.min[2] - 1e-9)
    }
  })

  it('has points for the thinnest box', () => {
    for (let i = 0; i < 50; i++) {
      const random = randomStream('thin', i)
      const box = orientedBox([1, 2, 3], [0.001, 0.001, 0.001], randomAxes(random))
      expect(samplePoints(box).all.length).toBeGreaterThan(0)
    }
  })
})

describe('samplePoints of boxes that are no furniture', () => {
  it('stay few: sheets that rounding takes all points from, and a room in millimetres', () => {
    const upright = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    let lost = 0
    for (let i = 0; i < 40; i++) {
      const z = 0.1 * i + 0.7
      if (Math.abs(z - 0.0005 - z) > 0.0005) lost++
      const { all } = samplePoints(orientedBox([0.3, 0.7, z], [2, 1, 0.001], upright))
      expect(all.length).toBeGreaterThan(0)
      expect(all.length).toBeLessThan(3e5)
    }
    expect(lost).toBeGreaterThan(0)
    const hall = samplePoints(orientedBox([0, 0, 0], [3000, 2000, 900], upright))
    expect(hall.all.length).toBeLessThan(1.3e7)
  })
})

describe('measureOf', () => {
  it('means sample points, boxes or centres', () => {
    const [a, b] = [uprightBox([0, 0], [1, 1, 1], 0.2), uprightBox([3, 0], [1, 1, 1], 0.5)]
    expect(measureOf('paper')([a], [b])).toBe(3)
    expect(measureOf('exact')([a], [b])).toBeCloseTo(boxDistance(a, b), 12)
    const sampled = measureOf('benchmark')([a], [b])
    expect(sampled).toBeGreaterThanOrEqual(boxDistance(a, b))
    expect(sampled).toBeLessThan(boxDistance(a, b) + 0.1)
    for (const definition of ['benchmark', 'exact', 'paper'] as const) {
      expect(measureOf(definition)([a], [])).toBe(Number.POSITIVE_INFINITY)
    }
  })
})
