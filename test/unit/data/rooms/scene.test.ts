import { describe, expect, it } from 'vitest'
import { makeRooms, recipes } from '../../../../src/data/rooms/index.js'
import { drawScene } from '../../../../src/data/rooms/scene.js'
import { InputError } from '../../../../src/errors.js'
import { randomStream } from '../../../../src/random.js'
import { samplePoints } from '../scenes/brute-force.js'

const names = ['demo', 'base', 'home'] as const

describe.each(names)('rooms of the recipe %s', (name) => {
  const recipe = recipes[name]
  const scenes = Array.from({ length: 60 }, (_, i) => drawScene(recipe, randomStream('test', i)))

  it('hold every object inside the walls and below the ceiling', () => {
    for (const scene of scenes) {
      const boxes = Object.values(scene.object_bbox).flat()
      for (const [x, y, z] of boxes.flatMap((box) => samplePoints(box, 1))) {
        expect(Math.min(x, y, z)).toBeGreaterThanOrEqual(-1e-9)
        expect(x).toBeLessThanOrEqual(scene.extent[0] + 1e-9)
        expect(y).toBeLessThanOrEqual(scene.extent[1] + 1e-9)
        expect(z).toBeLessThanOrEqual(scene.extent[2] + 1e-9)
      }
    }
  })

  it('keep objects apart: no sampled point of one lies in the footprint of another', () => {
    for (const scene of scenes) {
      const boxes = Object.values(scene.object_bbox).flat()
      for (const box of boxes) {
        const [cos = 1, sin = 0] = box.normalizedAxes
        const inside = boxes
          .filter((other) => other !== box)
          .flatMap((other) => samplePoints(other, 8))
          .some(([x, y]) => {
            const [dx, dy] = [x - box.centroid[0], y - box.centroid[1]]
            const along = Math.abs(dx * cos + dy * sin)
            const across = Math.abs(dy * cos - dx * sin)
            return along < box.axesLengths[0] / 2 && across < box.axesLengths[1] / 2
          })
        expect(inside).toBe(false)
      }
    }
  })

  it('say of themselves what their boxes say', () => {
    for (const scene of scenes) {
      expect(scene.room_size).toBeCloseTo(scene.extent[0] * scene.extent[1], 9)
      expect(Object.keys(scene.object_counts)).toEqual(Object.keys(scene.object_bbox))
      for (const [category, boxes] of Object.entries(scene.object_bbox)) {
        expect(scene.object_counts[category]).toBe(boxes.length)
        for (const box of boxes) {
          const corners = samplePoints(box, 1)
          for (const axis of [0, 1, 2] as const) {
            expect(Math.min(...corners.map((c) => c[axis]))).toBeCloseTo(box.min[axis], 9)
            expect(Math.max(...corners.map((c) => c[axis]))).toBeCloseTo(box.max[axis], 9)
          }
        }
      }
    }
  })

  it('have the number of categories and copies that the recipe allows', () => {
    const single = scenes.map((scene) => Object.keys(scene.object_bbox).length - 1 - scene.repeated.length)
    expect(Math.min(...single)).toBeGreaterThanOrEqual(recipe.singles[0])
    expect(Math.max(...single)).toBeLessThanOrEqual(recipe.singles[1])
    const copies = scenes.flatMap((scene) => scene.repeated.map((category) => scene.object_counts[category] ?? 0))
    expect([Math.min(...copies), Math.max(...copies)]).toEqual(recipe.copies)
  })
})

describe('drawScene', () => {
  it('refuses a recipe whose furniture cannot fit', () => {
    const tiny = { ...recipes.demo, room: { ...recipes.demo.room, width: [2, 2], depth: [2, 2] } } as const
    expect(() => makeRooms({ recipe: tiny, count: 1 })).toThrow(InputError)
    expect(() => makeRooms({ recipe: tiny, count: 1 })).toThrow(/does not fit/)
  })
})
