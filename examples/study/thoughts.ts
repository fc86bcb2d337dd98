/**
 * What the base is shown of thinking and observing: short true notes from the scene record, in the tags of the mode. The base
 * learns the form from them; post-training gets no such text.
 */
import type { Room, RoomExample, RoomScene } from 'vsgrpo/data'
import type { Mode } from './modes.js'

/** The answer as the base is to give it under a mode. */
export function shownAnswer(row: RoomExample, { scene }: Room, mode: Mode): string {
  if (mode === 'vanilla') return row.answer
  const notes = mode === 'observe' ? inventory(scene) : reasons(row, scene)
  return `<${mode}>${notes}</${mode}><answer>${row.answer}</answer>`
}

/** "door, 3 chair, bed": all that is there. */
function inventory({ object_counts: counts }: RoomScene): string {
  return Object.entries(counts)
    .map(([category, count]) => (count === 1 ? category : `${count} ${category}`))
    .join(', ')
}

/** The facts that the question turns on. */
function reasons(row: RoomExample, scene: RoomScene): string {
  const named = Object.keys(scene.object_bbox).filter((category) => new RegExp(`\\b${category}\\b`).test(row.question))
  switch (row.question_type) {
    case 'room_size_estimation':
      return scene.extent
        .slice(0, 2)
        .map((metres) => metres.toFixed(1))
        .join(' by ')
    case 'object_size_estimation':
      return named.map((category) => `${category} ${sides(scene, category)}`).join(', ')
    case 'obj_appearance_order':
      return named.map((category) => `${category} ${scene.first_seen?.[category] ?? 0}`).join(', ')
    default:
      return named.map((category) => `${category} ${places(scene, category)}`).join(', ')
  }
}

function sides(scene: RoomScene, category: string): string {
  const [box] = scene.object_bbox[category] ?? []
  return (box?.axesLengths ?? []).map((metres) => Math.round(100 * metres)).join(' by ')
}

/** Where each of them stands, on a grid of three by three. */
function places(scene: RoomScene, category: string): string {
  const [width, depth] = scene.extent
  const boxes = scene.object_bbox[category] ?? []
  return boxes
    .map(({ centroid: [x, y] }) => {
      const place = [third(y / depth, ['south', '', 'north']), third(x / width, ['west', '', 'east'])]
      return place.filter((part) => part !== '').join(' ') || 'middle'
    })
    .join(' and ')
}

function third(share: number, [low, middle, high]: readonly [string, string, string]): string {
  return share < 1 / 3 ? low : share < 2 / 3 ? middle : high
}
