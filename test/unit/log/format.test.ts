// Numbers, times and small curves as text.
import { describe, expect, it } from 'vitest'
import { bar, duration, short, sparkline } from '../../../src/log/format.js'
import { readings } from '../../../src/log/metric-names.js'

describe('short', () => {
  it('keeps what matters of a number', () => {
    const given = [0, 0.5, 0.01234, 1.5e-7, 1.234, 12.34, 345.6, 1234, 12_345, 3.2e6, 5e9, -0.25]
    expect(given.map(short)).toEqual([
      '0',
      '0.5',
      '0.0123',
      '1.5e-7',
      '1.23',
      '12.3',
      '346',
      '1234',
      '12.3k',
      '3.2M',
      '5e+9',
      '-0.25',
    ])
  })
  it('names what is not finite', () => {
    expect([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(short)).toEqual(['NaN', 'inf', '-inf'])
  })
})

describe('duration', () => {
  it('shows the two largest units', () => {
    expect([4, 65, 3725, 90_000, Number.NaN].map(duration)).toEqual(['4s', '1m 05s', '1h 02m', '1d 01h', '?'])
  })
})

describe('sparkline', () => {
  it('rises with the values and leaves out what is not finite', () => {
    expect(sparkline([0, Number.NaN, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█')
  })
  it('averages long curves into its width, and draws flat ones in the middle', () => {
    expect(
      sparkline(
        Array.from({ length: 100 }, (_, i) => i),
        4,
      ),
    ).toBe('▁▃▆█')
    expect(sparkline([2, 2, 2], 5)).toBe('▄▄▄')
    expect(sparkline([], 5)).toBe('')
  })
})

describe('bar', () => {
  it('is always as wide as asked', () => {
    for (const part of [0, 0.01, 0.33, 0.999, 1, 2]) expect([...bar(part, 10)]).toHaveLength(10)
    expect(bar(0.5, 4)).toBe('██░░')
  })
})

describe('readings', () => {
  it('shows the loss only where there is no reward', () => {
    expect(readings({ loss: 1, reward: 2 }).map(({ label }) => label)).toEqual(['reward'])
    expect(readings({ loss: 1, mean_token_accuracy: 0.5 }).map(({ label }) => label)).toEqual(['loss', 'accuracy'])
  })
})
