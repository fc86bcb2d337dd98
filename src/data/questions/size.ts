/** The longest side of an object, and the area of the room. */
import { type BoxRecord, onlyBox, type SceneRecord, uniqueCategories } from '../scenes/record.js'
import type { QuestionBuilder } from './rules.js'
import { ask } from './wording.js'

/** In whole centimetres. */
export const objectSize: QuestionBuilder = function* (scene, rules, random) {
  for (const category of random.shuffle(uniqueCategories(scene))) {
    const box = onlyBox(scene, category)
    if (box === undefined) continue
    yield {
      kind: 'object_size_estimation',
      category,
      question: ask({ kind: 'object_size_estimation', category }, rules.wording),
      options: null,
      answer: longestSide([box]),
      balance: null,
    }
  }
}

/** In square metres with one decimal. */
export const roomSize: QuestionBuilder = (scene, rules) => [
  {
    kind: 'room_size_estimation',
    category: 'room',
    question: ask({ kind: 'room_size_estimation' }, rules.wording),
    options: null,
    answer: floorArea(scene),
    balance: null,
  },
]

/** Whole centimetres; of several objects, the longest. */
export function longestSide(boxes: readonly BoxRecord[]): string {
  return String(Math.round(Math.max(...boxes.flatMap((box) => box.axesLengths)) * 100))
}

/** Square metres, one decimal. */
export function floorArea(scene: SceneRecord): string {
  return scene.room_size.toFixed(1)
}
