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

  it('refuses a file with fewer frames than asked for', () => {
    expect(() => sampleQwenVlUtils({ total: 10, fps: 30 }, { frames: 16 })).toThrow(/16 frames .* of 10/)
    expect(() => sampleTransformers({ total: 1, fps: 30 })).toThrow(RangeError)
  })
})
