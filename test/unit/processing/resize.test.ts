import { describe, expect, it } from 'vitest'
import { roundHalfEven, smartResize } from '../../../src/processing/resize.js'
import { golden } from '../../parity/processor-golden.js'

const LIMITS = { factor: 28, minPixels: 3136, maxPixels: 12845056, variant: 'hf' } as const

describe('smartResize', () => {
  it('equals transformers and qwen-vl-utils on a table of sizes and limits', () => {
    expect(golden.sizes.length).toBeGreaterThan(200)
    for (const [
      height = 0,
      width = 0,
      minPixels = 0,
      maxPixels = 0,
      hfHeight,
      hfWidth,
      qwenHeight,
      qwenWidth,
    ] of golden.sizes) {
      const limits = { factor: 28, minPixels, maxPixels }
      const size = { height, width }
      expect(smartResize(size, { ...limits, variant: 'hf' })).toEqual({ height: hfHeight, width: hfWidth })
      expect(smartResize(size, { ...limits, variant: 'qwen' })).toEqual({ height: qwenHeight, width: qwenWidth })
    }
  })

  it('rounds halves to even multiples', () => {
    expect(smartResize({ height: 70, width: 98 }, LIMITS)).toEqual({ height: 56, width: 112 })
    expect(smartResize({ height: 42, width: 14 }, LIMITS)).toEqual({ height: 112, width: 56 })
  })

  it('refuses pictures longer than 200:1', () => {
    expect(() => smartResize({ height: 1, width: 201 }, LIMITS)).toThrow(/200:1, got 1x201/)
  })
})

describe('roundHalfEven', () => {
  it('sends halves to the even neighbour and everything else to the nearest', () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4999, 2.5001, 7].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3, 7])
  })
})
