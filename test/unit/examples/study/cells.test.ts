import { describe, expect, it } from 'vitest'
import { operations, passes } from '../../../../examples/study/arithmetic.js'
import { fullGrid, isYardstick, needs, smallForm, tuningGrid } from '../../../../examples/study/cells.js'
import { modes, pointsOf, promptText } from '../../../../examples/study/modes.js'
import { readPoints, writePoints } from '../../../../examples/study/result.js'
import { asRow } from '../../../../examples/study/room-rows.js'
import { rows } from './results.js'

describe('the grid', () => {
  it('has every cell once, and what a cell needs before it', () => {
    for (const cells of [smallForm(3), fullGrid(3), tuningGrid()]) {
      const names = cells.map(({ name }) => name)
      expect(new Set(names).size).toBe(names.length)
      for (const [place, cell] of cells.entries()) {
        for (const { name } of needs(cell)) expect(names.slice(0, place)).toContain(name)
      }
    }
  })

  it('contains the small form in the full one, and the yardstick in no compute budget', () => {
    const full = fullGrid(3)
    expect(full.map(({ name }) => name)).toEqual(expect.arrayContaining(smallForm(3).map(({ name }) => name)))
    expect(full.filter((cell) => cell.budget === 'compute' && isYardstick(cell))).toEqual([])
    // 3 bases; 9 GRPO, SFT and DPO at equal examples, all but the yardstick at equal compute.
    expect([smallForm(3).length, full.length]).toEqual([22, 66])
  })
})

describe('arithmetic', () => {
  const [lengths, weights] = [
    { prefix: 20, question: 40, patches: 32 },
    { text: 1000, head: 200, vision: 500 },
  ]
  const batch = { rooms: 2, questions: 12, answerTokens: 36 }

  it('counts shared tokens once, and three passes for learning', () => {
    const once = 2 * ((2 * 20 + 12 * 40 + 36) * 1000 + 36 * 200 + 2 * 32 * 500)
    expect(operations(batch, lengths, weights, passes.sft)).toBe(3 * once)
    expect(operations(batch, lengths, weights, passes.dpo)).toBe(4 * once)
    expect(operations(batch, lengths, weights, passes.grpo(0))).toBe(4 * once)
    expect(operations(batch, lengths, weights, passes.grpo(1e-4))).toBe(5 * once)
  })
})

describe('points', () => {
  it('survive being written as one character each', () => {
    const points = [0, 0.1, 0.3, 0.7, 0.9, 1]
    expect([...readPoints(writePoints(points))]).toEqual(points)
  })

  it('are given for the right answer in every mode, and for nothing outside its tags', () => {
    for (const row of rows) {
      expect(pointsOf(row, row.answer, 'vanilla')).toBe(1)
      for (const mode of ['think', 'observe'] as const) {
        expect(pointsOf(row, `<${mode}>a chair</${mode}><answer>${row.answer}</answer>`, mode)).toBe(1)
        expect(pointsOf(row, `<${mode}>${row.answer}</${mode}><answer>`, mode)).toBe(0)
      }
      expect(pointsOf(row, 'nothing', 'vanilla')).toBe(0)
    }
  })

  it('fall with the distance of a number', () => {
    const row = rows.find(({ question_type: kind }) => kind === 'object_size_estimation')
    if (!row) throw new Error('no question of size')
    const off = (factor: number) => pointsOf(row, String(Number(row.answer) * factor), 'vanilla')
    expect(off(1.12)).toBeCloseTo(0.8, 9)
    expect(off(1.6)).toBe(0)
  })
})

describe('rows', () => {
  it('ask in the words of the paper, one mode each, and never show the options', () => {
    for (const row of rows) {
      const texts = modes.map((mode) => promptText(row, mode))
      expect(new Set(texts).size).toBe(3)
      expect(texts[0]).toMatch(/Please provide the short answer with one or two words or a number\.$/)
      expect(texts[1]).toContain('<think> </think>')
      expect(texts[2]).toContain('<observe> </observe>')
      expect(texts.join()).not.toContain('A. ')
    }
  })

  it('give each its own kind of reward', () => {
    for (const row of rows.map((one) => asRow(one, 'vanilla'))) {
      expect([row.number, row.word].filter((value) => value !== undefined)).toEqual([row.answer])
      expect(row.word === undefined).toBe(row.options === null)
    }
  })
})
