import { describe, expect, it } from 'vitest'
import { type Asked, ask, understand } from '../../../../src/data/questions/wording.js'

const asked: readonly Asked[] = [
  { kind: 'object_counting', category: 'trash can' },
  { kind: 'object_size_estimation', category: 'coffee table' },
  { kind: 'room_size_estimation' },
  { kind: 'object_abs_distance', first: 'shower', second: 'kitchen counter' },
  { kind: 'object_rel_distance', target: 'bicycle', listed: ['sink', 'pillow', 'bed', 'guitar'] },
  { kind: 'object_rel_direction_easy', stand: 'shelf', facing: 'shower', query: 'bicycle' },
  { kind: 'object_rel_direction_medium', stand: 'shelf', facing: 'shower', query: 'bicycle' },
  { kind: 'object_rel_direction_hard', stand: 'shelf', facing: 'shower', query: 'bicycle' },
  { kind: 'obj_appearance_order', listed: ['sink', 'pillow', 'bed', 'guitar'] },
]

describe('questions', () => {
  it.each(asked)('of $kind are understood as they were asked, in either wording', (one) => {
    for (const wording of ['benchmark', 'paper'] as const) expect(understand(ask(one, wording))).toEqual(one)
  })

  it('have the sentences of figure 2 of the paper in its wording, to the space', () => {
    expect(asked.slice(0, 6).map((one) => ask(one, 'paper'))).toEqual([
      'How many trash can(s)in the room?',
      'What is the length of the longest dimension (length,width, or height) of the coffee table, measured in centimeters?',
      'What is the size of this room (in square meters)?',
      'What is the distance between the shower and the kitchen counter (in meters)?',
      'Which of these objects (sink, pillow, bed, guitar)is the closest to the bicycle?',
      'If I am standing by the shelf and facing the shower is the bicycle to the left or the right of the shower?',
    ])
  })

  it('have VSI-Bench’s sentences by default', () => {
    expect(asked.slice(0, 6).map((one) => ask(one))).toEqual([
      'How many trash can(s) are in this room?',
      'What is the length of the longest dimension (length, width, or height) of the coffee table, measured in centimeters?',
      'What is the size of this room (in square meters)? \nIf multiple rooms are shown, estimate the size of the combined space.',
      'Measuring from the closest point of each object, what is the distance between the shower and the kitchen counter (in meters)?',
      'Measuring from the closest point of each object, which of these objects (sink, pillow, bed, guitar) is the closest to the bicycle?',
      'If I am standing by the shelf and facing the shower, is the bicycle to the left or the right of the shower?',
    ])
  })

  it('of other forms are not understood', () => {
    for (const text of ['', 'Where is the bed?', 'You are a robot beginning at the bed facing the tv.']) {
      expect(understand(text)).toBeUndefined()
    }
  })

  it('may come with the later template’s addition and its "direct"', () => {
    const several = ' If there are multiple instances of an object category, measure to the closest.'
    expect(understand(`${ask(asked[4] ?? { kind: 'room_size_estimation' })}${several}`)).toEqual(asked[4])
    expect(understand('What is the direct distance between the a and the b (in meters)?')).toEqual({
      kind: 'object_abs_distance',
      first: 'a',
      second: 'b',
    })
  })
})
