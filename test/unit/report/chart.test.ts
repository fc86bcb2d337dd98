// Charts: gaps, long and empty curves, ticks, colours, and no markup from labels.
import { describe, expect, it } from 'vitest'
import { lineChart } from '../../../src/report/chart.js'
import { smoothed, smoothingWindow, tickLabels, ticks } from '../../../src/report/curve.js'
import { strokeClass } from '../../../src/report/strokes.js'

const line = (y: number[], label = 'training') => ({ label, kind: 'line' as const, x: y.map((_, i) => i + 1), y })

/** The numbers of all path data in a piece of markup. */
function pathNumbers(markup: string): number[] {
  return [...markup.matchAll(/ d="([^"]*)"/g)].flatMap(([, d = '']) => d.match(/-?\d+(\.\d+)?/g) ?? []).map(Number)
}

describe('lineChart', () => {
  it('breaks a curve where a value is not finite, and says how many', () => {
    const markup = lineChart({ title: 'KL', series: [line([1, 2, Number.NaN, 4, 5])] })
    const [raw = ''] = markup.match(/class="raw" d="([^"]*)"/) ?? []
    expect(raw.match(/M/g)).toHaveLength(2)
    expect(markup).not.toMatch(/ (d|x1|x2|y1|y2|cx|cy)="[^"]*NaN/)
    expect(markup).toContain('1 value was not finite.')
  })

  it('is empty when there is nothing to draw', () => {
    expect(lineChart({ title: 'KL', series: [] })).toBe('')
    expect(lineChart({ title: 'KL', series: [line([]), line([Number.NaN])] })).toBe('')
  })

  it('draws a single step and a flat curve inside the frame', () => {
    for (const y of [[0.5], [0, 0, 0], [7, 7]]) {
      const numbers = pathNumbers(lineChart({ title: 'a', series: [line(y)] }))
      expect(numbers.length).toBeGreaterThan(0)
      for (const value of numbers) expect(value).toSatisfy((v: number) => v >= 0 && v <= 520)
    }
  })

  it('draws long curves as their mean within the band of their extremes', () => {
    const y = Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? -1 : 1))
    const markup = lineChart({ title: 'a', series: [line(y)] })
    expect(markup).toContain('class="band"')
    expect(markup).not.toContain('class="raw"')
    const [, bold = ''] = markup.match(/class="bold" d="([^"]*)"/) ?? []
    expect(bold.split('L').length).toBeLessThanOrEqual(400)
  })

  it('names the series only where there are several', () => {
    expect(lineChart({ title: 'a', series: [line([1, 2])] })).not.toContain('class="key')
    expect(lineChart({ title: 'a', series: [line([1, 2], 'one'), line([2, 3], 'two')] })).toMatch(/one.*two/)
  })

  it('escapes titles and labels, also in the data of the read-out', () => {
    const markup = lineChart({ title: '<a>', series: [line([1, 2], '"<i>'), line([1, 2], 'c')] })
    expect(markup).not.toMatch(/<a>|<i>|""</)
  })

  it('draws several seeds thinly, and leaves them out of legend and read-out', () => {
    const seed = { ...line([1, 2, 3], 'seeds'), kind: 'thin' as const, color: 4 }
    const markup = lineChart({ title: 'a', series: [seed, { ...seed, kind: 'mean' }, line([1, 2], 'b')] })
    expect(markup.match(/class="faint"/g)).toHaveLength(1)
    expect(markup.match(/class="key c4 r4">seeds</g)).toHaveLength(1)
    expect(markup.match(/&quot;label&quot;:&quot;seeds/g)).toHaveLength(1)
  })

  it('fits the frame to what it draws: a spike that only its mean shows takes no room', () => {
    const y = Array.from({ length: 100 }, (_, i) => (i === 50 ? 7000 : 0))
    const top = (kind: 'line' | 'mean') => lineChart({ title: 'a', series: [{ ...line(y), kind }] })
    expect(top('line')).toMatch(/>6000<\/text>/)
    expect(top('mean')).not.toMatch(/>6000<\/text>/)
  })

  it('keeps zero in view when asked', () => {
    expect(lineChart({ title: 'a', include: [0], series: [line([5, 6])] })).toMatch(/>0<\/text>/)
    expect(lineChart({ title: 'a', series: [line([5, 6])] })).not.toMatch(/>0<\/text>/)
  })
})

describe('smoothed', () => {
  const steps = (y: number[]) => ({ x: y.map((_, i) => i + 1), y })

  it('averages what is finite around each value', () => {
    expect(smoothed(steps([1, 2, 3, 4, 5]), 3)).toEqual({ x: [1, 2, 3, 4, 5], y: [1.5, 2, 3, 4, 4.5] })
    expect(smoothed(steps([1, Number.NaN, 3]), 3).y).toEqual([1, 2, 3])
    expect(smoothed(steps([Number.NaN]), 1).y).toEqual([Number.NaN])
    expect(smoothed(steps([]), 1)).toEqual({ x: [], y: [] })
  })
  it('leaves short curves alone, and long ones few points', () => {
    expect(smoothingWindow(19)).toBe(1)
    expect(smoothingWindow(400)).toBe(21)
    const long = smoothed(steps(Array.from({ length: 1000 }, (_, i) => i)), 1)
    expect(long.y).toHaveLength(334)
    expect([long.x[1], long.y[1]]).toEqual([5, 4])
  })
})

describe('ticks', () => {
  it('are round numbers within the range', () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(ticks(0.601, 0.742, 5)).toEqual([0.65, 0.7])
    expect(ticks(-1e-6, 1e-6, 4)).toEqual([-1e-6, -5e-7, 0, 5e-7, 1e-6])
    expect(ticks(1, 913, 6)).toEqual([200, 400, 600, 800])
  })
})

describe('tickLabels', () => {
  it('are short, and longer where neighbours would read alike', () => {
    expect(tickLabels([0, 0.05, 0.1])).toEqual(['0', '0.05', '0.1'])
    expect(tickLabels([0, 5e-5, 1e-4])).toEqual(['0', '5e-5', '1e-4'])
    expect(tickLabels([128.2, 128.4, 128.6])).toEqual(['128.2', '128.4', '128.6'])
    expect(tickLabels([12_340, 12_345, 12_350])).toEqual(['12340', '12345', '12350'])
  })
})

describe('strokeClass', () => {
  it('dashes a colour that comes again', () => {
    expect(strokeClass(3)).toBe('c3 r3')
    expect(strokeClass(8)).toBe('c0 d1 r8')
    expect(strokeClass(17)).toBe('c1 d2 r17')
  })
})
