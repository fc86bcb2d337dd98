import { describe, expect, it } from 'vitest'
import type { Question } from '../../../../src/data/questions/question.js'
import { makeRooms, type RoomScene, roomKinds } from '../../../../src/data/rooms/index.js'
import type { BoxRecord } from '../../../../src/data/scenes/record.js'
import { sampledDistance, seenFrom } from '../scenes/brute-force.js'

const homes = makeRooms({ recipe: 'home', count: 30, seed: 3, questionsPerRoom: 24 })
const demos = makeRooms({ recipe: 'demo', count: 60, seed: 3, questionsPerRoom: 6 })
const reveals = makeRooms({ recipe: 'reveal', count: 8, seed: 3, kinds: ['obj_appearance_order'], questionsPerRoom: 4 })
const asked = [...homes.rooms, ...demos.rooms, ...reveals.rooms].flatMap((room) =>
  room.questions.map((question) => ({ scene: room.scene, question })),
)

function ofKind(kind: Question['kind']): { scene: RoomScene; question: Question }[] {
  const found = asked.filter(({ question }) => question.kind === kind)
  expect(found.length).toBeGreaterThan(20)
  return found
}

function boxOf(scene: RoomScene, category: string | undefined): BoxRecord {
  const boxes = scene.object_bbox[category ?? ''] ?? []
  const [box] = boxes
  if (box === undefined || boxes.length > 1) throw new Error(`expected one ${category}, found ${boxes.length}`)
  return box
}

describe('answers, recomputed the slow way from the text of the question', () => {
  it('counts objects', () => {
    for (const { scene, question } of ofKind('object_counting')) {
      const [, category = ''] = /^How many (\w+)\(s\) are in this room\?$/.exec(question.question) ?? []
      expect(question.answer).toBe(String(scene.object_bbox[category]?.length))
    }
  })

  it('finds the closest of the listed objects, with a clear lead', () => {
    const form =
      /^Measuring from the closest point of each object, which of these objects \((.+)\) is the closest to the (\w+)\?$/
    for (const { scene, question } of ofKind('object_rel_distance')) {
      const [, list = '', primary] = form.exec(question.question) ?? []
      expect(list.split(', ')).toEqual(question.options)
      const distances = list.split(', ').map((name) => sampledDistance(boxOf(scene, name), boxOf(scene, primary), 9, 1))
      expect(list.split(', ')[distances.indexOf(Math.min(...distances))]).toBe(question.answer)
    }
  })

  it('tells left from right', () => {
    const form =
      /^If I am standing by the (\w+) and facing the (\w+), is the (\w+) to the left or the right of the (\w+)\?$/
    for (const { scene, question } of ofKind('object_rel_direction_easy')) {
      const [, stand, facing, query, again] = form.exec(question.question) ?? []
      expect(again).toBe(facing)
      const { right, ahead } = seenFrom(boxOf(scene, stand), boxOf(scene, facing), boxOf(scene, query))
      expect(question.answer).toBe(right > 0 ? 'right' : 'left')
      expect(ahead).toBeGreaterThan(-Math.abs(right))
    }
  })

  it('tells left, right and back', () => {
    const form =
      /^If I am standing by the (\w+) and facing the (\w+), is the (\w+) to my left, right, or back\?\nAn object is to my back if I would have to turn at least 135 degrees in order to face it\.$/
    for (const { scene, question } of ofKind('object_rel_direction_medium')) {
      const [, stand, facing, query] = form.exec(question.question) ?? []
      const { right, ahead } = seenFrom(boxOf(scene, stand), boxOf(scene, facing), boxOf(scene, query))
      expect(question.answer).toBe(-ahead > Math.abs(right) ? 'back' : right > 0 ? 'right' : 'left')
    }
  })

  it('tells the four quadrants', () => {
    const form = /^If I am standing by the (\w+) and facing the (\w+), is the (\w+) to my front-left, front-right, back/
    for (const { scene, question } of ofKind('object_rel_direction_hard')) {
      const [, stand, facing, query] = form.exec(question.question) ?? []
      const { right, ahead } = seenFrom(boxOf(scene, stand), boxOf(scene, facing), boxOf(scene, query))
      expect(question.answer).toBe(`${ahead > 0 ? 'front' : 'back'}-${right > 0 ? 'right' : 'left'}`)
    }
  })

  it('measures objects, distances and rooms', () => {
    for (const { scene, question } of ofKind('object_size_estimation')) {
      expect(Number(question.answer)).toBeCloseTo(100 * Math.max(...boxOf(scene, question.category).axesLengths), -0.5)
    }
    const form = /what is the distance between the (\w+) and the (\w+) \(in meters\)\?$/
    for (const { scene, question } of ofKind('object_abs_distance')) {
      const [, a, b] = form.exec(question.question) ?? []
      expect(Math.abs(Number(question.answer) - sampledDistance(boxOf(scene, a), boxOf(scene, b), 9, 1))).toBeLessThan(
        0.3,
      )
    }
    for (const { scene, question } of ofKind('room_size_estimation')) {
      expect(Math.abs(Number(question.answer) - scene.extent[0] * scene.extent[1])).toBeLessThanOrEqual(0.05 + 1e-9)
    }
  })
})

describe('questions', () => {
  it('come in every kind and never twice in a room', () => {
    expect(new Set(asked.map(({ question }) => question.kind)).size).toBe(roomKinds.length)
    for (const room of [...homes.rooms, ...demos.rooms]) {
      expect(new Set(room.questions.map(({ question }) => question)).size).toBe(room.questions.length)
    }
  })

  it('list the answer among the options', () => {
    for (const { question } of asked) {
      if (question.options !== null) expect(question.options).toContain(question.answer)
    }
  })
})
