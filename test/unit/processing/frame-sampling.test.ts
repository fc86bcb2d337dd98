import { describe, expect, it } from 'vitest'
import { sampleQwenVlUtils, sampleTransformers } from '../../../src/processing/frame-sampling.js'
import { golden, samplingOptions } from '../../parity/processor-golden.js'

describe('frame sampling', () => {
  it.each(golden.frames)('takes the frames that the references take: $total frames at $fps, $options', (row) => {
    const options = samplingOptions(row.options)
    expect(sampleQwenVlUtils(row, options)).toEqual(row.utils)
    expect(sampleTransformers(row, options)).toEqual(row.transformers)
  })

  it('always takes an even number of frames inside the file', () => {
    for (let total = 4; total < 400; total += 7) {
      for (const sample of [sampleQwenVlUtils, sampleTransformers]) {
        const indices = sample({ total, fps: 30 })
        expect(indices.length % 2).toBe(0)
        expect(indices.every((index) => index >= 0 && index < total)).toBe(true)
      }
    }
  })

  it.each([
    { total: 367, fps: 24, count: 30 },
    { total: 230, fps: 30, count: 14 },
  ])('takes no frame after the last: $total frames at $fps', ({ total, fps, count }) => {
    const indices = sampleTransformers({ total, fps })
    expect(indices).toHaveLength(count)
    expect(indices.at(-1)).toBeLessThan(total)
  })

  it('takes as many frames as it means to, all of them in the file, whatever its length and rate', () => {
    const faults: string[] = []
    for (const fps of [24, 25, 30000 / 1001, 30]) {
      for (let total = 100; total <= 2000; total++) {
        const count = 2 * Math.floor(total / fps)
        const indices = sampleTransformers({ total, fps })
        const inside = indices.every((index, i) => index > (indices[i - 1] ?? -1) && index < total)
        if (indices.length !== count || !inside) faults.push(`${total} at ${fps}: ${indices.length} of ${count}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('refuses a file with fewer frames than asked for', () => {
    expect(() => sampleQwenVlUtils({ total: 10, fps: 30 }, { frames: 16 })).toThrow(/16 frames .* of 10/)
    expect(() => sampleTransformers({ total: 1, fps: 30 })).toThrow(RangeError)
  })
})
