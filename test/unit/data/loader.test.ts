/** The order of a run over its dataset. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLoader, type LoaderOptions } from '../../../src/data/loader.js'

const base: LoaderOptions = { length: 10, batchSize: 3, seed: 7, shuffle: true, lastBatch: 'drop' }

function epoch(options: LoaderOptions, number: number): number[] {
  const loader = createLoader(options)
  const first = number * loader.batchesPerEpoch
  return Array.from({ length: loader.batchesPerEpoch }, (_, i) => loader.batch(first + i)).flat()
}

describe('createLoader', () => {
  it('shows every row once an epoch, in an order of its own', () => {
    const options: LoaderOptions = { ...base, lastBatch: 'keep' }
    const rows = [...Array(10).keys()]
    expect(epoch(options, 0).toSorted((a, b) => a - b)).toEqual(rows)
    expect(epoch(options, 1).toSorted((a, b) => a - b)).toEqual(rows)
    expect(epoch(options, 0)).not.toEqual(rows)
    expect(epoch(options, 0)).not.toEqual(epoch(options, 1))
    expect(epoch(options, 0)).not.toEqual(epoch({ ...options, seed: 8 }, 0))
  })

  it('drops the rows that do not fill a batch, or keeps them in a shorter one', () => {
    expect(createLoader(base).batchesPerEpoch).toBe(3)
    expect(epoch(base, 0)).toHaveLength(9)
    const keeping = createLoader({ ...base, lastBatch: 'keep' })
    expect(keeping.batchesPerEpoch).toBe(4)
    expect(keeping.batch(3)).toHaveLength(1)
  })

  it('gives any batch without those before it', () => {
    const one = createLoader(base)
    const batches = [...Array(9).keys()].map((number) => one.batch(number))
    for (const number of [8, 0, 5, 3]) expect(createLoader(base).batch(number)).toEqual(batches[number])
  })

  it('keeps the order of the dataset when it does not shuffle', () => {
    expect(epoch({ ...base, shuffle: false }, 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('keeps rows about the same media together, as many as asked for, and loses none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        (length, together, seed) => {
          const keyOf = (index: number) => String(index % 4)
          const order = epoch({ ...base, length, seed, batchSize: 1, lastBatch: 'keep', media: { keyOf, together } }, 0)
          expect(order.toSorted((a, b) => a - b)).toEqual([...Array(length).keys()])
          const changes = order.filter((row, i) => i > 0 && keyOf(row) !== keyOf(order[i - 1] ?? 0)).length
          if (together > 1) expect(changes).toBeLessThan(Math.ceil(length / together) + 4)
        },
      ),
    )
  })

  it('refuses a dataset that does not fill one batch', () => {
    expect(() => createLoader({ ...base, length: 2 })).toThrow('expected at least 3 rows to fill one batch, got 2')
  })
})
