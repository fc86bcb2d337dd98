import { describe, expect, it } from 'vitest'
import { smallForm } from '../../../../examples/study/cells.js'
import { studyOf } from '../../../../examples/study/lines.js'
import { seedInterval, statisticsOf } from '../../../../examples/study/statistics.js'
import { aggregate } from '../../../../src/eval/index.js'
import { pointsWith, resultOf, rows } from './results.js'

const cells = smallForm(3).filter(({ budget }) => budget === 'examples')
/** SFT is right on 60 %, with a step of 10 between seeds; all others on 30 %. */
const results = cells.map((cell) =>
  resultOf(cell, { points: pointsWith(cell.method === 'sft' ? 0.5 + 0.1 * cell.seed : 0.3) }),
)
const study = studyOf(results)
const statistics = statisticsOf(study.rows, study.lines)
const lineOf = (name: string) => {
  const line = study.lines.find((candidate) => candidate.name === name)
  if (!line) throw new Error(`no line ${name} among ${study.lines.map((one) => one.name).join('; ')}`)
  return line
}

describe('seedInterval', () => {
  it('is the t interval: two seeds 2 apart reach 12.706 to each side', () => {
    expect(seedInterval([1, 3]).map((bound) => bound.toFixed(3))).toEqual(['-10.706', '14.706'])
    // scipy.stats.t.interval(0.95, 2, loc=2, scale=scipy.stats.sem([1, 2, 3]))
    expect(seedInterval([1, 2, 3])[0]).toBeCloseTo(-0.4841, 3)
    expect(() => seedInterval([1])).toThrow(/2 to 10 seeds, got 1/)
  })
})

describe('estimates', () => {
  it('are the scorer’s means, averaged over seeds', () => {
    const sft = statistics.estimate(lineOf('SFT'), 'average')
    expect(sft?.mean).toBeCloseTo(60, 6)
    expect(sft?.mean).toBeCloseTo(aggregate(rows, pointsWith(0.6)).average ?? 0, 6)
    expect(statistics.estimate(lineOf('SFT'), 'object_counting')?.mean).toBeCloseTo(60, 6)
    expect(statistics.estimate(lineOf('SFT'), 'route_planning')).toBeUndefined()
  })

  it('have an interval over rooms that holds the mean, and one over seeds where there are several', () => {
    const [sft, base] = ['SFT', 'base, vanilla'].map((name) => statistics.estimate(lineOf(name), 'average'))
    expect(sft?.rooms[0]).toBeLessThan(60)
    expect(sft?.rooms[1]).toBeGreaterThan(60)
    // Of 30 rooms the standard error of a share of 0.6 is 8.9.
    expect((sft?.rooms[1] ?? 0) - (sft?.rooms[0] ?? 0)).toBeGreaterThan(20)
    expect((sft?.rooms[1] ?? 0) - (sft?.rooms[0] ?? 0)).toBeLessThan(45)
    expect(sft?.seeds?.map((bound) => bound.toFixed(1))).toEqual(['35.2', '84.8'])
    expect(base?.seeds).toBeUndefined()
  })
})

describe('differences', () => {
  it('are taken on the same rooms, so that what both have in common does not widen them', () => {
    const difference = statistics.difference(lineOf('GRPO, vanilla, β 0'), lineOf('base, vanilla'), 'average')
    expect(difference).toEqual({ mean: 0, rooms: [0, 0], seeds: [0, 0] })
  })

  it('pair seeds, and take a line without seeds as the same for all', () => {
    const difference = statistics.difference(lineOf('SFT'), lineOf('base, vanilla'), 'average')
    expect(difference?.mean).toBeCloseTo(30, 6)
    expect(difference?.seeds?.map((bound) => bound.toFixed(1))).toEqual(['5.2', '54.8'])
    const gain = statistics.difference(lineOf('SFT'), lineOf('base, vanilla'), 'numbers over choices')
    expect(gain?.mean).toBeCloseTo(0, 6)
  })

  it('to a trained model of one seed have no interval over seeds', () => {
    const partial = studyOf(results.filter(({ cell }) => cell.method !== 'dpo' || cell.seed === 0))
    const [sft, dpo] = ['SFT', 'DPO'].map((name) => partial.lines.find((line) => line.name === name))
    if (!sft || !dpo) throw new Error('no such lines')
    const difference = statisticsOf(partial.rows, partial.lines).difference(sft, dpo, 'average')
    expect(difference?.mean).toBeCloseTo(20, 6)
    expect(difference?.seeds).toBeUndefined()
  })
})
