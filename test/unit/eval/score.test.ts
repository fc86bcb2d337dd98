/** VSI-Bench's scoring against golden vectors of the published code, run in Python with numpy. */
import { describe, expect, it } from 'vitest'
import { float, strip } from '../../../src/eval/vsi-bench/python.js'
import { aggregate, firstWord, isReadable, scorePrediction } from '../../../src/eval/vsi-bench/score.js'
import { questionTypes, taskNames, taskOf } from '../../../src/eval/vsi-bench/tasks.js'

const number = (truth: string | number) => ({ question_type: 'object_counting', ground_truth: String(truth) }) as const
const letter = (truth: string) => ({ question_type: 'object_rel_distance', ground_truth: truth }) as const

describe('mean relative accuracy', () => {
  it.each([
    ['2', 2, 1],
    ['3', 2, 0.1],
    ['1', 2, 0.1],
    ['4', 2, 0],
    ['5', 4, 0.6],
    ['3', 4, 0.6],
    ['9', 10, 0.9],
    ['11', 10, 0.9],
    ['5', 6.1, 0.7],
    ['113', 100, 0.8],
    ['95', 100, 1],
    ['105', 100, 1],
    ['85', 100, 0.8],
    ['1.9', 2, 1],
    ['50', 100, 0.1],
    ['150', 100, 0.1],
    ['151', 100, 0],
    ['0', 5, 0],
    ['nan', 5, 0],
    ['inf', 5, 0],
    ['-5', 5, 0],
  ])('of %s where %s is right is %s', (prediction, truth, points) => {
    expect(scorePrediction(number(truth), prediction)).toBe(points)
  })

  it.each([
    ['113 cm', 1],
    ['113.', 1],
    ['113...', 1],
    ['113\n', 1],
    ['113.0', 1],
    ['1_1_3', 1],
    ['１１３', 1],
    ['113cm', 0],
    ['1,13', 0],
    ['about 113', 0],
    ['one', 0],
    [' 113', 0],
    ['113\ncm', 0],
    ['', 0],
  ])('reads the first word %j or gives nothing', (prediction, points) => {
    expect(scorePrediction(number(113), prediction)).toBe(points)
    expect(isReadable(number(113), prediction)).toBe(points === 1)
  })
})

describe('letters', () => {
  it.each(['D', 'd', 'D.', 'd.', 'D...', 'D. sofa', 'D\u00a0', 'D\n', '\tD'])('%j is right', (prediction) => {
    expect(scorePrediction(letter('D'), prediction)).toBe(1)
  })
  it.each(['(D)', '**D**', 'D)', 'D\nbecause', 'sofa', ' D', 'D.\n', 'A', '', 'D,'])('%j is wrong', (prediction) => {
    expect(scorePrediction(letter('D'), prediction)).toBe(0)
  })
  it('counts what holds no letter as unreadable', () => {
    expect(['B', 'b. chair', '(D)', 'sofa'].map((text) => isReadable(letter('D'), text))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

describe('the parts of Python', () => {
  it('splits at spaces only, and strips what str.strip does', () => {
    expect(['5. ', 'D.. .', '5.\t', 'a.b. c'].map(firstWord)).toEqual(['5', 'D', '5.', 'a.b'])
    expect(strip('\x1c\u3000 a\ufeff\x85')).toBe('a\ufeff')
  })
  it.each(['1__0', '_1', '1_', '1e', '', '.', '--5', '0x10', '1 2', '1,2', 'infinit', '\ufeff5'])(
    'has no number in %j',
    (text) => expect(float(text)).toBeUndefined(),
  )
  it.each([
    ['1_000', 1000],
    ['.5', 0.5],
    ['5.', 5],
    ['1.e5', 1e5],
    ['1e5_0', 1e50],
    ['+5', 5],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
    ['٣', 3],
    ['𝟗', 9],
    ['３.５', 3.5],
  ])('reads %j as %s', (text, value) => expect(float(text)).toBe(value))
})

describe('aggregate', () => {
  it('averages the three kinds of direction first, then the tasks, whatever their numbers of questions', () => {
    const list = questionTypes.map((type) => ({ question_type: type, ground_truth: '1' }))
    const twice = [...list, { question_type: 'object_rel_direction_hard', ground_truth: '1' } as const]
    const points = twice.map(({ question_type: type }) => (type === 'object_rel_direction_hard' ? 0 : 1))
    const { average, tasks, questionTypes: types, microAverage } = aggregate(twice, points)
    expect(tasks.object_rel_direction).toBeCloseTo(200 / 3, 10)
    expect(types.object_rel_direction_hard).toBe(0)
    expect(average).toBeCloseTo((700 + 200 / 3) / 8, 10)
    expect(microAverage).toBeCloseTo(900 / 11, 10)
  })
  it('leaves tasks without questions out of the average', () => {
    const { average, tasks } = aggregate([number(2), letter('A')], [1, 0])
    expect(average).toBe(50)
    expect(tasks.route_planning).toBeNull()
    expect(Object.keys(tasks)).toEqual([...taskNames])
  })
  it('knows the task of every type', () => {
    expect(questionTypes.map(taskOf).filter((task) => task === 'object_rel_direction')).toHaveLength(3)
    expect(new Set(questionTypes.map(taskOf)).size).toBe(8)
  })
})
