/**
 * The study's rooms: sizes vary enough that numbers must be seen, and the film opens on a detail, so that objects come into
 * view one after the other. The base is warm-started on other-looking rooms, larger and seen from higher up.
 */
import { makeRooms, type QuestionKind, type Recipe, type RoomSet, recipes } from 'vsgrpo/data'

/** What VSI-100k trains on. */
export const trainedKinds: readonly QuestionKind[] = [
  'object_counting',
  'object_abs_distance',
  'object_size_estimation',
  'room_size_estimation',
  'object_rel_distance',
  'object_rel_direction_easy',
]

/** What is asked in the test: the order of appearance is held out of post-training, as in the paper. */
export const testedKinds: readonly QuestionKind[] = [...trainedKinds, 'obj_appearance_order']

const { demo, base } = recipes

type Categories = Recipe['categories']

/** Metres. One side of each category varies by more than a factor of two and is nearly always its longest. */
const sizes = {
  chair: { length: [0.5, 1.2], width: [0.45, 0.55], height: [0.45, 0.55] },
  table: { length: [0.7, 1.6], width: [0.6, 0.7], height: [0.6, 0.7] },
  bed: { length: [0.8, 0.9], width: [0.9, 2.1], height: [0.4, 0.6] },
  sofa: { length: [0.9, 2.1], width: [0.7, 0.85], height: [0.7, 0.85] },
  lamp: { length: [0.5, 0.6], width: [0.5, 0.6], height: [0.6, 1.8] },
  plant: { length: [0.6, 1.4], width: [0.5, 0.6], height: [0.5, 0.6] },
} as const

function resized(categories: Categories): Categories {
  return Object.fromEntries(
    Object.entries(sizes).flatMap(([name, size]) => {
      const category = categories[name]
      return category ? [[name, { ...category, ...size }]] : []
    }),
  )
}

/** What is trained on and tested. */
const studyRooms: Recipe = {
  ...demo,
  name: 'study',
  room: { width: [3.4, 6], depth: [3.4, 6], height: [2.5, 2.5] },
  categories: resized(demo.categories),
  camera: { ...demo.camera, eye: [4.9, 5.1], opening: { zoom: [0.25, 0.4], aside: [0, 1] } },
}

/** What the base knows. */
export const baseRooms: Recipe = {
  ...base,
  name: 'study-base',
  room: { width: [3.8, 6.6], depth: [3.8, 6.6], height: [2.3, 2.9] },
  categories: resized(base.categories),
  camera: { ...base.camera, eye: [5.4, 5.9], opening: { zoom: [0.25, 0.4], aside: [0, 1] } },
}

const drawn = new Map<string, RoomSet>()

/** `dev` rooms are for choosing settings, `blind` ones teach the blind controls; neither is ever tested on. */
export function studySet(part: 'train' | 'dev' | 'test' | 'blind', count: number): RoomSet {
  const known = drawn.get(`${part} ${count}`)
  if (known) return known
  const seeds = { train: 0, dev: 0, test: 0, blind: 1 }
  const split = part === 'blind' ? 'dev' : part
  const kinds = part === 'train' ? trainedKinds : testedKinds
  const set = makeRooms({ recipe: studyRooms, split, count, seed: seeds[part], kinds })
  drawn.set(`${part} ${count}`, set)
  return set
}
