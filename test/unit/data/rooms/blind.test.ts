import { describe, expect, it } from 'vitest'
import {
  type AnsweredRow,
  fitBlind,
  grey,
  makeRooms,
  roomExamples,
  type Split,
} from '../../../../src/data/rooms/index.js'

function rows(split: Split, count: number): AnsweredRow[] {
  const set = makeRooms({ recipe: 'demo', count, split })
  return set.rooms.flatMap((room) => roomExamples(set, room, 'video'))
}

function row(category: string, answer: string, options: string[] | null = null): AnsweredRow {
  return { question_type: 'kind', category, options, answer }
}

describe('fitBlind', () => {
  it('answers with the most frequent training answer of the kind and category', () => {
    const guess = fitBlind([row('bed', '1'), row('bed', '1'), row('bed', '2'), row('chair', '3')])
    expect(guess(row('bed', ''))).toBe('1')
    expect(guess(row('chair', ''))).toBe('3')
    expect(guess(row('unseen', ''))).toBe('1')
  })

  it('uses the listed options where that pays more', () => {
    const names = ['bed', 'chair', 'lamp', 'sofa', 'table', 'plant']
    const first = names.map((name, i) => row('door', name, [`A. ${name}`, `B. ${names[(i + 1) % 6]}`]))
    expect(fitBlind(first)(row('door', '', ['A. chair', 'B. bed']))).toBe('chair')
  })

  it('gains next to nothing on rooms it has not seen', () => {
    const guess = fitBlind(rows('train', 800))
    const unseen = rows('test', 400)
    const accuracy = (kind: string): number => {
      const some = unseen.filter(({ question_type }) => question_type === kind)
      return some.filter((question) => guess(question) === question.answer).length / some.length
    }
    expect(accuracy('object_counting')).toBeLessThan(0.32)
    expect(accuracy('object_rel_distance')).toBeLessThan(0.41)
    expect(accuracy('object_rel_direction_easy')).toBeLessThan(0.58)
  })
})

describe('grey', () => {
  it('keeps the size and nothing else', () => {
    expect(grey(Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(128, 128, 128))
  })
})
