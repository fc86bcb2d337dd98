/** The longest side of an object, and the area of the room. */
import { onlyBox, uniqueCategories } from '../record.js'
import type { QuestionBuilder } from './question.js'

/** In whole centimetres. */
export const objectSize: QuestionBuilder = (scene, _rules, random) =>
  random.shuffle(uniqueCategories(scene)).flatMap((category) => {
    const box = onlyBox(scene, category)
    if (box === undefined) return []
    return {
      kind: 'object_size_estimation',
      category,
      question: `What is the length of the longest dimension (length, width, or height) of the ${category}, measured in centimeters?`,
      options: null,
      answer: String(Math.round(Math.max(...box.axesLengths) * 100)),
      balance: null,
    }
  })

/** In square metres with one decimal. */
export const roomSize: QuestionBuilder = (scene) => [
  {
    kind: 'room_size_estimation',
    category: 'room',
    question:
      'What is the size of this room (in square meters)? \n' +
      'If multiple rooms are shown, estimate the size of the combined space.',
    options: null,
    answer: scene.room_size.toFixed(1),
    balance: null,
  },
]
