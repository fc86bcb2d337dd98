import { describe, expect, it } from 'vitest'
import type { Question } from '../../../../src/data/questions/question.js'
import { makeRooms, type RoomSet, roomExamples } from '../../../../src/data/rooms/index.js'
import { InputError } from '../../../../src/errors.js'
import { groupBy } from '../../../../src/group-by.js'

const train = makeRooms({ recipe: 'demo', count: 900, seed: 0, split: 'train' })

function questionsOf(set: RoomSet, kind: string): Question[] {
  return set.rooms.flatMap((room) => room.questions).filter((question) => question.kind === kind)
}

/** Pearson's statistic of the counts of `values` against equal shares of the cells. */
function chiSquare(values: readonly string[], cells: readonly string[]): number {
  const expected = values.length / cells.length
  return cells.reduce((sum, cell) => sum + (values.filter((v) => v === cell).length - expected) ** 2 / expected, 0)
}

describe('makeRooms', () => {
  it('gives equal rooms, questions and frames for equal options', () => {
    const [a, b] = [makeRooms({ count: 5, seed: 4 }), makeRooms({ count: 5, seed: 4 })]
    expect(JSON.stringify(a)).toBe(JSON.stringify(b))
    expect(a.rooms[4]?.frames()).toEqual(b.rooms[4]?.frames())
  })

  it('starts a longer set with the rooms of a shorter one', () => {
    expect(JSON.stringify(makeRooms({ count: 20 }).rooms.slice(0, 7))).toBe(
      JSON.stringify(makeRooms({ count: 7 }).rooms),
    )
  })

  it('never shares a scene between splits or seeds', () => {
    const seen = new Set<string>()
    let rooms = 0
    for (const split of ['train', 'dev', 'test', 'base'] as const) {
      for (const seed of [0, 1, 2]) {
        for (const room of makeRooms({ count: 40, seed, split }).rooms) {
          seen.add(JSON.stringify(room.scene.object_bbox))
          rooms++
        }
      }
    }
    expect(seen.size).toBe(rooms)
  })

  it('asks one question of each kind in every demo room', () => {
    for (const room of train.rooms) expect(new Set(room.questions.map(({ kind }) => kind)).size).toBe(3)
  })

  it('balances the counts of every category', () => {
    const counting = questionsOf(train, 'object_counting')
    const categories = [...new Set(counting.map(({ category }) => category))]
    expect(categories).toHaveLength(6)
    for (const category of categories) {
      const answers = counting.filter((question) => question.category === category).map(({ answer }) => answer)
      expect(answers.length).toBeGreaterThan(90)
      for (const count of ['1', '2', '3', '4']) {
        expect(Math.abs(answers.filter((answer) => answer === count).length - answers.length / 4)).toBeLessThan(3)
      }
    }
  })

  it('lets each of three listed objects be the closest equally often, in any place of the list', () => {
    const closest = questionsOf(train, 'object_rel_distance')
    const places = closest.map(({ options, answer }) => String(options?.indexOf(answer)))
    // 2 degrees of freedom: 13.8 is exceeded once in a thousand.
    expect(chiSquare(places, ['0', '1', '2'])).toBeLessThan(13.8)
    const wins = closest.map(({ answer }) => answer)
    expect(chiSquare(wins, ['chair', 'table', 'bed', 'sofa', 'lamp', 'plant'])).toBeLessThan(20.5)
    const sets = groupBy(closest, ({ options }) => [...(options ?? [])].sort().join())
    for (const [set, questions] of sets) {
      for (const name of set.split(',')) {
        const won = questions.filter(({ answer }) => answer === name).length
        expect(Math.abs(won - questions.length / 3)).toBeLessThan(3)
      }
    }
  })

  it('answers left as often as right, for every pair of objects', () => {
    const directions = questionsOf(train, 'object_rel_direction_easy')
    for (const [, same] of groupBy(directions, ({ question }) => question)) {
      const left = same.filter(({ answer }) => answer === 'left').length
      expect(Math.abs(left - same.length / 2)).toBeLessThan(3)
    }
  })

  it('spreads more questions over the kinds', () => {
    const [room] = makeRooms({ count: 1, questionsPerRoom: 7 }).rooms
    expect(room?.questions.length).toBeGreaterThan(3)
    const [one] = makeRooms({ count: 1, kinds: ['object_counting'] }).rooms
    expect(one?.questions.map(({ kind }) => kind)).toEqual(['object_counting'])
  })

  it('refuses bad options in one clear line', () => {
    expect(() => makeRooms({ count: 0 })).toThrow(new InputError('count: expected an integer of at least 1, got 0'))
    expect(() => makeRooms({ count: 2.5 })).toThrow(/^count: .* got 2.5$/)
    expect(() => makeRooms({ count: 1, seed: -1 })).toThrow(/^seed: /)
    // @ts-expect-error: a name from the command line
    expect(() => makeRooms({ recipe: 'dmo', count: 1 })).toThrow(/got 'dmo'; did you mean demo\?/)
    // @ts-expect-error: the same
    expect(() => makeRooms({ kinds: ['object_countin'], count: 1 })).toThrow(/did you mean object_counting\?/)
  })
})

describe('roomExamples', () => {
  const set = makeRooms({ recipe: 'home', count: 3 })
  const rows = set.rooms.flatMap((room) => roomExamples(set, room, ['a.png', 'b.png']))

  it('writes the benchmark columns with lettered options, and the name as the answer', () => {
    for (const row of rows) {
      if (row.options === null) expect(row.ground_truth).toBe(row.answer)
      else expect(row.options).toContain(`${row.ground_truth}. ${row.answer}`)
    }
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
  })

  it('shows the video first and adds the instruction of the recipe', () => {
    expect(rows[0]?.messages[0]?.content).toEqual([
      { type: 'video', video: ['a.png', 'b.png'] },
      { type: 'text', text: `${rows[0]?.question}\n${set.recipe.questions.instruction}` },
    ])
  })
})
