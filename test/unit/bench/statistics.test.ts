import { describe, expect, it } from 'vitest'
import { bench } from './bench.js'

interface Statistics {
  median(values: readonly number[]): number
  summarise(trials: readonly (readonly number[])[]): { median: number; low: number; high: number; spread: number }
  medianOfEach(records: readonly Record<string, number>[]): Record<string, number>
}

const { median, summarise, medianOfEach } = await bench<Statistics>('rig/statistics.mjs')

describe('figures of repeated trials', () => {
  it('take the middle value, or the mean of the two in the middle, whatever the order', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 1, 2, 4])).toBe(3)
    expect(() => median([])).toThrow('at least one value')
  })

  it('are the median of the medians, with their range over it', () => {
    const trials = [
      [1, 2, 90],
      [3, 3, 3],
      [4, 5, 6],
    ]
    expect(summarise(trials)).toEqual({ median: 3, low: 2, high: 5, spread: 1 })
  })

  it('count a phase that a step lacks as 0', () => {
    expect(medianOfEach([{ a: 1 }, { a: 3, b: 6 }, { a: 2, b: 4 }])).toEqual({ a: 2, b: 4 })
  })
})
