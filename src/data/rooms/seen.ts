/** When each category of a room comes into view: what questions on the order of appearance are asked from. */
import { roomMesh } from './mesh.js'
import type { Recipe } from './recipe.js'
import type { RoomScene } from './record.js'
import { visibleSurfaces } from './render.js'

/** Of the films that `writeRooms` makes by default; times of first appearance count by it. */
export const framesPerSecond = 2

/** The part of a picture that objects of a category must cover together to count as seen. */
const leastShare = 0.005

/** Seconds until the first frame that shows each category, hidden parts left out; categories never seen are absent. */
export function firstSeen(scene: RoomScene, recipe: Recipe): Record<string, number> {
  const { width, height } = recipe.camera
  const mesh = roomMesh(scene, recipe)
  const seen: Record<string, number> = {}
  scene.cameras.forEach((camera, frame) => {
    const pixels = new Map<string, number>()
    for (const surface of visibleSurfaces(mesh, camera, { width, height })) {
      const category = mesh[surface - 1]?.category
      if (category !== undefined) pixels.set(category, (pixels.get(category) ?? 0) + 1)
    }
    for (const [category, count] of pixels) {
      if (count >= leastShare * width * height) seen[category] ??= frame / framesPerSecond
    }
  })
  return seen
}
