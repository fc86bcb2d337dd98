import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { makeRooms, recipes } from '../../../../src/data/rooms/index.js'
import type { Polygon } from '../../../../src/data/rooms/mesh.js'
import { roomMesh } from '../../../../src/data/rooms/mesh.js'
import type { CameraRecord, Color, RoomScene } from '../../../../src/data/rooms/record.js'
import { renderFrame } from '../../../../src/data/rooms/render.js'
import { uprightBox } from '../../../../src/data/scenes/oriented-box.js'
import type { Vec3 } from '../../../../src/data/scenes/record.js'

const down: CameraRecord = { position: [0, 0, 4], target: [0, 0, 0], up: [0, 1, 0], fov: 90 }
const size = { width: 40, height: 40, supersample: 1 }

/** A square that faces up, of half-width `half`, at height z. */
function square(half: number, z: number, color: Color): Polygon {
  const corners: Vec3[] = [
    [-half, -half, z],
    [half, -half, z],
    [half, half, z],
    [-half, half, z],
  ]
  return { points: corners, color }
}

function draw(mesh: readonly Polygon[], camera = down): (x: number, y: number) => number[] {
  const out = new Uint8Array(size.width * size.height * 3)
  renderFrame(mesh, camera, size, out)
  return (x, y) => [...out.subarray((y * size.width + x) * 3, (y * size.width + x) * 3 + 3)]
}

describe('renderFrame', () => {
  const near = square(1, 2, [1, 0, 0])
  const far = square(2, 0, [0, 0, 1])

  it('shows the nearer surface, in whatever order the surfaces come', () => {
    for (const mesh of [
      [near, far],
      [far, near],
    ]) {
      const at = draw(mesh)
      expect(at(20, 20)).toEqual([255, 0, 0])
      expect(at(11, 20)).toEqual([255, 0, 0])
    }
  })

  it('projects a square to the size that perspective says', () => {
    // Half-width 2 at depth 4 with a 90 degree field of view: half of the picture, columns 10 to 29.
    const at = draw([far])
    const background = at(0, 0)
    expect(at(10, 20)).toEqual([0, 0, 255])
    expect(at(29, 29)).toEqual([0, 0, 255])
    expect(at(9, 20)).toEqual(background)
    expect(at(30, 20)).toEqual(background)
  })

  it('skips surfaces that face away and cuts those that reach behind the camera', () => {
    expect(draw([{ ...near, points: [...near.points].reverse() }])(20, 20)).toEqual(draw([])(20, 20))
    const level: CameraRecord = { position: [0, 0, 1], target: [0, 1, 1], up: [0, 0, 1], fov: 90 }
    const at = draw([square(50, 0, [0, 1, 0])], level)
    expect(at(20, 39)).toEqual([0, 255, 0])
    expect(at(20, 21)).toEqual([0, 255, 0])
    expect(at(20, 18)).toEqual(draw([], level)(20, 18))
  })

  it('puts north up and east right for a camera that looks down', () => {
    const corner: Polygon = { ...far, points: far.points.map(([x, y, z]): Vec3 => [x + 2, y + 2, z]) }
    const at = draw([corner])
    expect(at(30, 10)).toEqual([0, 0, 255])
    expect(at(10, 30)).not.toEqual([0, 0, 255])
  })

  it('leaves no gap between the two triangles of a square', () => {
    const tilted: CameraRecord = { ...down, position: [0.3, -0.7, 3.3], fov: 40 }
    const at = draw([square(20, 0, [1, 1, 1])], tilted)
    for (let y = 0; y < 40; y++) for (let x = 0; x < 40; x++) expect(at(x, y)).toEqual([255, 255, 255])
  })
})

describe('roomMesh', () => {
  it('paints the floor differently in the west and in the east, so a mirrored room looks different', () => {
    const [room] = makeRooms({ recipe: 'demo', count: 1 }).rooms
    const scene: RoomScene | undefined = room && { ...room.scene, object_bbox: {} }
    const floor = scene && roomMesh(scene, recipes.demo)[0]
    const [west, east] = [new Float64Array(3), new Float64Array(3)]
    floor?.paint?.(0.2, 2, 0, west)
    floor?.paint?.(4, 2, 0, east)
    expect((east[0] ?? 0) - (west[0] ?? 0)).toBeGreaterThan(0.1)
  })

  it('draws a category that the recipe does not know as a grey object', () => {
    const [room] = makeRooms({ recipe: 'demo', count: 1 }).rooms
    if (room === undefined) throw new Error('no room')
    const empty = roomMesh({ ...room.scene, object_bbox: {} }, recipes.demo).length
    const box = uprightBox([2, 2], [1, 1, 1], 0)
    expect(roomMesh({ ...room.scene, object_bbox: { piano: [box] } }, recipes.demo).length).toBeGreaterThan(empty)
  })
})

describe('renderRoom', () => {
  it('gives bytes of [F, H, W, 3], the same at every call', () => {
    const [room] = makeRooms({ recipe: 'demo', count: 1 }).rooms
    expect(room?.frames()).toHaveLength(4 * 56 * 56 * 3)
    expect(room?.frames()).toEqual(room?.frames())
  })

  it('gives pinned bytes, so that trained checkpoints keep their meaning', () => {
    const hash = createHash('sha256')
    for (const recipe of ['demo', 'base', 'home'] as const) {
      for (const room of makeRooms({ recipe, count: 2, seed: 7 }).rooms) hash.update(room.frames())
    }
    expect(hash.digest('hex').slice(0, 16)).toBe('6b10cba3eb018988')
  })

  it('shows every single object of a demo room in every frame', () => {
    // Hue tells categories apart: count pixels that clearly have the category's strongest channel pattern.
    const { rooms } = makeRooms({ recipe: 'demo', count: 40, seed: 11 })
    const fewest = rooms.map((room) => {
      const frames = room.frames()
      const pixels = 56 * 56
      const perFrame = [0, 1, 2, 3].flatMap((frame) =>
        Object.keys(room.scene.object_bbox)
          .filter((category) => category !== 'door')
          .map((category) => likePixels(frames.subarray(frame * pixels * 3, (frame + 1) * pixels * 3), category)),
      )
      return Math.min(...perFrame)
    })
    // A tenth of a 14 x 14 patch would be 20 pixels.
    expect(Math.min(...fewest)).toBeGreaterThan(25)
  })

  it('prints its speed', () => {
    const { rooms } = makeRooms({ recipe: 'demo', count: 60 })
    const start = performance.now()
    for (const room of rooms) room.frames()
    console.log(`rooms: ${Math.round((240 / (performance.now() - start)) * 1000)} frames of 56 x 56 per second`)
  })
})

/** Pixels whose direction in colour space is nearest to the category's and that are clearly coloured. */
function likePixels(frame: Uint8Array, category: string): number {
  const target = recipes.demo.categories[category]?.color ?? [0, 0, 0]
  let count = 0
  for (let i = 0; i < frame.length; i += 3) {
    const rgb = [frame[i] ?? 0, frame[i + 1] ?? 0, frame[i + 2] ?? 0]
    const most = Math.max(...rgb)
    const spread = most - Math.min(...rgb)
    const off = Math.max(...rgb.map((value, c) => Math.abs(value / most - (target[c] ?? 0) / Math.max(...target))))
    if (spread > 60 && off < 0.15) count++
  }
  return count
}
