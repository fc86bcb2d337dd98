import { describe, expect, it } from 'vitest'
import { makeRooms, recipes, renderRoom } from '../../../../src/data/rooms/index.js'
import { drawScene } from '../../../../src/data/rooms/scene.js'
import { firstSeen } from '../../../../src/data/rooms/seen.js'
import type { Vec3 } from '../../../../src/data/scenes/record.js'
import { randomStream } from '../../../../src/random.js'

const { demo } = recipes
/** Small, without shadows and mixed pixels: what an object changes in the picture is what it covers. */
const plain = {
  ...demo,
  camera: { ...demo.camera, frames: 6, opening: { zoom: [0.2, 0.3], aside: [0, 1] } },
  look: { ...demo.look, shadow: 0, supersample: 1 },
} as const
const scenes = Array.from({ length: 20 }, (_, i) => drawScene(plain, randomStream('seen', i)))
const pixels = 56 * 56

/** Frames in which taking the category's objects away changes at least 0.5 % of the picture. */
function framesWith(scene: (typeof scenes)[number], category: string): number[] {
  const { [category]: _, ...others } = scene.object_bbox
  const [full, without] = [renderRoom(scene, plain), renderRoom({ ...scene, object_bbox: others }, plain)]
  return scene.cameras.flatMap((_, frame) => {
    const of = (frames: Uint8Array, i: number) =>
      frames.subarray(3 * (frame * pixels + i), 3 * (frame * pixels + i + 1))
    const changed = Array.from({ length: pixels }, (_, i) => String(of(full, i)) !== String(of(without, i)))
    return changed.filter(Boolean).length >= 0.005 * pixels ? [frame] : []
  })
}

describe('firstSeen', () => {
  it('names the first frame whose pixels change when the objects are taken away', () => {
    const frames = scenes.flatMap((scene) => {
      const seen = firstSeen(scene, plain)
      return Object.keys(scene.object_bbox).map((category) => {
        const [first] = framesWith(scene, category)
        expect(seen[category], category).toBe(first === undefined ? undefined : first / 2)
        return first
      })
    })
    expect(new Set(frames).size).toBeGreaterThan(4)
  })

  it('does not count what stands behind something else, nor what is never in the picture', () => {
    const [scene] = scenes
    if (scene === undefined) throw new Error('no scene')
    const look = (position: Vec3, target: Vec3) => ({ position, target, up: [0, 0, 1] as const, fov: 60 })
    const [width, depth] = scene.extent
    const away = { ...scene, cameras: [look([width / 2, depth / 2, 9], [width / 2, depth / 2 + 1, 20])] }
    expect(firstSeen(away, plain)).toEqual({})
    const above = { ...scene, cameras: [look([width / 2, depth / 2 - 0.1, 9], [width / 2, depth / 2, 0])] }
    expect(Object.values(firstSeen(above, plain)).every((seconds) => seconds === 0)).toBe(true)
    expect(Object.keys(firstSeen(above, plain)).length).toBeGreaterThan(3)
    const [door] = scene.object_bbox.door ?? []
    const cover = door && { ...door, centroid: [width / 2, depth / 2, 5] as const, axesLengths: [20, 20, 0.1] as const }
    const hidden = { ...above, object_bbox: { ...scene.object_bbox, ceiling: cover ? [cover] : [] } }
    expect(Object.keys(firstSeen(hidden, plain))).toEqual(['ceiling'])
  })
})

describe('questions on the order of appearance', () => {
  it('list categories in the order of their first frames, which all differ', () => {
    const { rooms } = makeRooms({ recipe: 'reveal', count: 12, seed: 5, kinds: ['obj_appearance_order'] })
    expect(rooms).toHaveLength(12)
    for (const { questions, scene } of rooms) {
      for (const { answer, options } of questions) {
        const times = answer.split(', ').map((category) => scene.first_seen?.[category] ?? Number.NaN)
        expect(times).toHaveLength(4)
        expect(times.slice(1).every((time, i) => time - (times[i] ?? 0) >= 0.5)).toBe(true)
        expect(answer).not.toContain('door')
        expect(options).toContain(answer)
      }
    }
  })

  it('are refused for rooms that show everything at once', () => {
    expect(() => makeRooms({ recipe: 'demo', count: 1, kinds: ['obj_appearance_order'] })).toThrow(
      /recipe 'demo' shows all of a room from the first frame; use recipe 'reveal'/,
    )
  })
})
