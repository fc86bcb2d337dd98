import { describe, expect, it } from 'vitest'
import { randomStream } from '../../src/random.js'

describe('randomStream', () => {
  it('gives the same numbers for the same key and others for any other key', () => {
    const first = (...key: (string | number)[]): number => randomStream(...key).next()
    expect(first('room', 1, 'train', 2)).toBe(first('room', 1, 'train', 2))
    const keys = [
      ['room', 1, 'train', 3],
      ['room', 2, 'train', 2],
      ['room', 1, 'test', 2],
      ['room', 12, 'train'],
      ['room', 1, '2train'],
    ]
    const values = keys.map((key) => first(...key))
    expect(new Set([...values, first('room', 1, 'train', 2)]).size).toBe(keys.length + 1)
  })

  it('has pinned first numbers, so a seed means the same in every release', () => {
    const stream = randomStream('golden', 0)
    expect([stream.next(), stream.next(), stream.integer([0, 999])]).toEqual([
      0.816114711288858, 0.9780400929446569, 682,
    ])
  })

  it('fills [0, 1) evenly and without correlation between neighbouring keys', () => {
    const buckets = new Array<number>(20).fill(0)
    let product = 0
    const draws = 20000
    for (let i = 0; i < draws; i++) {
      const [a, b] = [randomStream('k', i).next(), randomStream('k', i + 1).next()]
      buckets[Math.floor(a * 20)] = (buckets[Math.floor(a * 20)] ?? 0) + 1
      product += (a - 0.5) * (b - 0.5)
    }
    const expected = draws / 20
    const chiSquare = buckets.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 19 degrees of freedom: 43.8 is exceeded once in a thousand.
    expect(chiSquare).toBeLessThan(43.8)
    expect(Math.abs(product / draws) * 12).toBeLessThan(0.03)
  })

  it('reaches both bounds of an integer range and nothing beyond', () => {
    const stream = randomStream('bounds')
    const seen = new Set(Array.from({ length: 300 }, () => stream.integer([1, 4])))
    expect([...seen].sort()).toEqual([1, 2, 3, 4])
  })

  it('shuffles into a permutation and leaves its input alone', () => {
    const items = ['a', 'b', 'c', 'd', 'e']
    const shuffled = randomStream('shuffle').shuffle(items)
    expect([...shuffled].sort()).toEqual(items)
    expect(items.join('')).toBe('abcde')
  })

  it('shuffles in a pinned order, so a seed means the same data set in every release', () => {
    expect(randomStream('golden', 0).shuffle(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toEqual([...'fgdbeca'])
  })
})
