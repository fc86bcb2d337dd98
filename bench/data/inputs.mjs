/** Files for the data benchmarks: rows, questions with predictions, scene records. */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Rows of about a kilobyte, until the file has `bytes`. */
export function writeRows(path, bytes) {
  const file = openSync(path, 'w')
  const filler = 'The sofa stands by the window. '.repeat(28)
  let [written, id] = [0, 0]
  while (written < bytes) {
    const rows = Array.from({ length: 1000 }, () => {
      const content = `${filler}How many chairs are there in room ${id % 977}?`
      return `${JSON.stringify({ id: id++, messages: [{ role: 'user', content }], answer: String(id % 7) })}\n`
    })
    written += writeSync(file, rows.join(''))
  }
  closeSync(file)
  return path
}

const numeric = ['object_counting', 'object_abs_distance', 'object_size_estimation', 'room_size_estimation']
const chosen = [
  ...['object_rel_distance', 'object_rel_direction_easy', 'object_rel_direction_medium', 'object_rel_direction_hard'],
  ...['route_planning', 'obj_appearance_order'],
]

/** Questions of VSI-Bench's kinds about 288 scenes, and a prediction for each; the arguments that name both files. */
export function writePredictions(dir, count) {
  const types = [...numeric, ...chosen]
  const questions = Array.from({ length: count }, (_, id) => {
    const type = types[id % types.length]
    const isNumber = numeric.includes(type)
    return {
      ...{ id, dataset: 'scannet', scene_name: `scene ${id % 288}`, question_type: type, pruned: id % 2 === 0 },
      question: `How many thing ${id % 60}(s) are in this room?`,
      options: isNumber ? null : ['A. a', 'B. b', 'C. c', 'D. d'],
      ground_truth: isNumber ? String(1 + ((id * 7919) % 500) / 10) : 'ABCD'[(id * 31) % 4],
    }
  })
  const predictions = questions.map(({ id, options }) => ({
    id,
    prediction: options === null ? `${id % 50} m` : 'B. b',
  }))
  const [asked, told] = [join(dir, 'questions.jsonl'), join(dir, 'predictions.jsonl')]
  writeFileSync(asked, linesOf(questions))
  writeFileSync(told, linesOf(predictions))
  return ['--questions', asked, '--predictions', told]
}

function linesOf(rows) {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

/** A file of `count` scene records, under names that are no test scenes'. */
export function writeScenes(dir, count) {
  const records = process.env.VSGRPO_VSIBENCH_DIR ? published(process.env.VSGRPO_VSIBENCH_DIR) : made(count)
  const scenes = Array.from({ length: count }, (_, i) => [`room ${i}`, records[i % records.length]])
  const path = join(dir, 'scenes.json')
  writeFileSync(path, JSON.stringify(Object.fromEntries(scenes)))
  return path
}

function published(dir) {
  return ['arkitscenes', 'scannetpp'].flatMap((source) =>
    Object.values(JSON.parse(readFileSync(join(dir, `${source}_meta_info_val.json`), 'utf8'))),
  )
}

/** Rooms with 16 kinds of objects, one to three of each, anywhere on the floor: the number of boxes that VSI-Bench's have. */
function made(count) {
  const random = generator(7)
  return Array.from({ length: count }, () => {
    const kinds = Array.from({ length: 16 }, (_, kind) => [
      `thing ${kind}`,
      Array.from({ length: kind % 4 === 0 ? 3 : 1 }, () => box(random)),
    ])
    return { dataset: 'made', room_size: 10 + 40 * random(), object_bbox: Object.fromEntries(kinds) }
  })
}

function box(random) {
  const yaw = 2 * Math.PI * random()
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)]
  return {
    centroid: [6 * random(), 5 * random(), 0.2 + random()],
    axesLengths: [0.1 + 1.5 * random(), 0.1 + random(), 0.1 + random()],
    normalizedAxes: [cos, sin, 0, -sin, cos, 0, 0, 0, 1],
  }
}

/** A linear congruential generator (Numerical Recipes' constants): uniform numbers in [0, 1). */
function generator(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
