import { describe, expect, it } from 'vitest'
import { answerQuestion } from '../../../../src/data/questions/answer.js'
import { type Asked, ask } from '../../../../src/data/questions/wording.js'
import { measureOf } from '../../../../src/data/scenes/measure.js'
import { uprightBox } from '../../../../src/data/scenes/oriented-box.js'
import type { BoxRecord, SceneRecord } from '../../../../src/data/scenes/record.js'

const at = (x: number, y: number, size = 0.5): BoxRecord => uprightBox([x, y], [size, size, size], 0)

const scene: SceneRecord = {
  dataset: 'home',
  video_path: '',
  room_size: 20.449,
  room_center: [0, 0, 0],
  object_counts: { chair: 3, bed: 1, sofa: 1, lamp: 1, 'coat hanger': 1, Plant: 2 },
  object_bbox: {
    bed: [at(0, 0)],
    sofa: [at(0, 3)],
    lamp: [at(-2, 2)],
    'coat hanger': [at(4, 0, 1.234)],
    chair: [at(-1, 2), at(-1.5, 2.5, 0.6), at(-1.2, 2.2)],
    stool: [at(-2, 1), at(2, 1)],
  },
  first_seen: { bed: 3, sofa: 1, lamp: 2, chair: 2 },
}

function answer(asked: Asked, options: readonly string[] | null = null): string | null {
  return answerQuestion({ question: ask(asked), options }, scene, measureOf('exact'))
}

describe('answerQuestion', () => {
  it('counts, measures and rounds as the benchmark writes it', () => {
    expect(answer({ kind: 'object_counting', category: 'chair' })).toBe('3')
    expect(answer({ kind: 'object_size_estimation', category: 'coat hanger' })).toBe('123')
    expect(answer({ kind: 'room_size_estimation' })).toBe('20.4')
    expect(answer({ kind: 'object_abs_distance', first: 'bed', second: 'sofa' })).toBe('2.5')
  })

  it('gives the longest of several objects, and the distance to the closest', () => {
    expect(answer({ kind: 'object_size_estimation', category: 'chair' })).toBe('60')
    expect(answer({ kind: 'object_abs_distance', first: 'chair', second: 'sofa' })).toBe('0.7')
  })

  it('gives the letter of the right option, whatever the letters look like, and the word without options', () => {
    const closest: Asked = { kind: 'object_rel_distance', target: 'bed', listed: ['sofa', 'chair', 'coat rack'] }
    expect(answer(closest)).toBe('chair')
    expect(answer(closest, ['A. sofa', 'B. coat rack', 'C. Chair'])).toBe('C')
    expect(answer(closest, ['1. chair', '2. sofa'])).toBe('1')
    expect(answer(closest, ['sofa', 'chair'])).toBe('B')
  })

  it('tells directions in two, three and four sectors', () => {
    const where = { stand: 'bed', facing: 'sofa', query: 'lamp' }
    expect(answer({ kind: 'object_rel_direction_easy', ...where })).toBe('left')
    expect(answer({ kind: 'object_rel_direction_medium', ...where })).toBe('left')
    expect(answer({ kind: 'object_rel_direction_hard', ...where }, ['A. back-left', 'B. front-left'])).toBe('B')
    expect(answer({ kind: 'object_rel_direction_medium', stand: 'sofa', facing: 'lamp', query: 'coat rack' })).toBe(
      'left',
    )
    // Behind, a little to the right: the two-way form still tells the side.
    const behind = { stand: 'lamp', facing: 'sofa', query: 'lamp' }
    expect(answer({ kind: 'object_rel_direction_easy', ...behind })).not.toBeNull()
  })

  it('takes the first of several objects in a direction', () => {
    const where = { stand: 'bed', facing: 'sofa' }
    const asked: Asked = { kind: 'object_rel_direction_easy', ...where, query: 'stool' }
    expect(answer({ kind: 'object_rel_direction_easy', ...where, query: 'chair' })).toBe('left')
    expect(answer(asked)).toBe('left')
    const turned = { ...scene, object_bbox: { ...scene.object_bbox, stool: [at(2, 1), at(-2, 1)] } }
    expect(answerQuestion({ question: ask(asked), options: null }, turned, measureOf('exact'))).toBe('right')
  })

  it('knows the order of appearance where the record does, and ties are not known', () => {
    const order = (listed: string[], options: string[] | null = null) =>
      answer({ kind: 'obj_appearance_order', listed }, options)
    expect(order(['bed', 'sofa', 'lamp'])).toBe('sofa, lamp, bed')
    expect(order(['bed', 'sofa', 'lamp'], ['A. bed, sofa, lamp', 'B. sofa, lamp, bed'])).toBe('B')
    expect(order(['bed', 'lamp', 'chair'])).toBeNull()
    expect(order(['bed', 'stool'])).toBeNull()
  })

  it('finds names in other case and the benchmark’s other names', () => {
    expect(answer({ kind: 'object_counting', category: 'plant' })).toBe('2')
    expect(answer({ kind: 'object_counting', category: 'couch' })).toBe('1')
    expect(answer({ kind: 'object_size_estimation', category: 'coat rack' })).toBe('123')
  })

  it('is null where the record cannot tell', () => {
    expect(answer({ kind: 'object_counting', category: 'toString' })).toBeNull()
    expect(answer({ kind: 'object_size_estimation', category: 'piano' })).toBeNull()
    expect(answer({ kind: 'object_abs_distance', first: 'bed', second: 'piano' })).toBeNull()
    expect(answer({ kind: 'object_rel_distance', target: 'bed', listed: ['sofa', 'piano'] })).toBeNull()
    expect(answer({ kind: 'object_rel_direction_easy', stand: 'bed', facing: 'piano', query: 'sofa' })).toBeNull()
    expect(answer({ kind: 'object_rel_distance', target: 'bed', listed: ['sofa'] }, ['A. stool'])).toBe('A')
    expect(answerQuestion({ question: 'You are a robot', options: null }, scene, measureOf('exact'))).toBeNull()
  })
})
