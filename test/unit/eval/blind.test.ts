/** Controls that see nothing: fitted on other scenes than they are scored on. */
import { describe, expect, it } from 'vitest'
import {
  type BlindQuestion,
  bestConstant,
  blindPoints,
  hindsightPoints,
  type Judge,
  mostFrequent,
  perCategory,
} from '../../../src/eval/blind.js'
import { categoryOf } from '../../../src/eval/vsi-bench/category.js'

const exact: Judge = ({ truth }, answer) => Number(answer === truth)
/** Partial credit: an answer one off earns a half. */
const near: Judge = ({ truth }, answer) => Math.max(0, 1 - Math.abs(Number(truth) - Number(answer)) / 2)

function ask(scene: string, truth: string, change: Partial<BlindQuestion> = {}): BlindQuestion {
  return { scene, kind: 'count', category: 'chair', options: null, truth, ...change }
}

const sides = { options: ['A. left', 'B. right'], kind: 'side' }

describe('blind controls', () => {
  it('tell the most frequent answer from the one that scores best', () => {
    const list = ['1', '1', '1', '3', '4', '4', '5', '5'].map((truth) => ask('s', truth))
    expect(mostFrequent(list, near)(ask('t', '9'))).toBe('1')
    expect(bestConstant(list, near)(ask('t', '9'))).toBe('4')
  })

  it('keep a constant per category, and the kind’s where the category is new', () => {
    const list = [ask('s', '2'), ask('s', '2'), ask('s', '7', { category: 'lamp' })]
    const guess = perCategory(list, exact)
    expect(['chair', 'lamp', 'sofa'].map((category) => guess(ask('t', '', { category })))).toEqual(['2', '7', '2'])
  })

  it('take the option that is most often right where it is listed, wherever it stands', () => {
    const list = [ask('s', 'A', sides), ask('s', 'B', { ...sides, options: ['A. right', 'B. left'] })]
    const guess = perCategory([...list, ...list], exact)
    expect(guess(ask('t', '', { ...sides, options: ['A. right', 'B. left'] }))).toBe('B')
    expect(mostFrequent(list, exact)(ask('t', '', sides))).toBe('A')
  })

  it('never fit on the scenes that they are scored on', () => {
    // Every scene has its own answer: what was seen in it would be right everywhere.
    const list = Array.from({ length: 40 }, (_, i) => ask(`scene ${Math.floor(i / 4)}`, String(Math.floor(i / 4))))
    expect([...(blindPoints(list, mostFrequent, exact) ?? [])]).toEqual(Array.from({ length: 40 }, () => 0))
    const [first] = hindsightPoints(list, exact)
    expect([...hindsightPoints(list, exact)].reduce((sum, value) => sum + value, 0)).toBe(4)
    expect(first).toBe(1)
  })

  it('score every question once, on both halves', () => {
    const list = Array.from({ length: 10 }, (_, i) => ask(`scene ${i}`, '2'))
    expect([...(blindPoints(list, mostFrequent, exact) ?? [])]).toEqual(Array.from({ length: 10 }, () => 1))
  })

  it('are absent for one scene, and fit on a training set where there is one', () => {
    const list = [ask('s', '2'), ask('s', '3')]
    expect(blindPoints(list, mostFrequent, exact)).toBeUndefined()
    expect([...(blindPoints(list, mostFrequent, exact, [ask('t', '3')]) ?? [])]).toEqual([0, 1])
  })
})

describe('categoryOf', () => {
  it.each([
    ['How many trash bin(s) are in this room?', 'trash bin'],
    [
      'What is the length of the longest dimension (length, width, or height) of the coffee table, measured in centimeters?',
      'coffee table',
    ],
    [
      'Measuring from the closest point of each object, what is the distance between the sofa and the bed (in meters)?',
      'bed | sofa',
    ],
    ['…, which of these objects (a, b, c, d) is the closest to the tv?', 'tv'],
    ['What is the size of this room (in square meters)?', ''],
  ])('reads %j', (question, category) => {
    expect(categoryOf({ question })).toBe(category)
    expect(categoryOf({ question, category: 'own' })).toBe('own')
  })
})
