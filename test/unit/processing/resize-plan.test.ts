import { describe, expect, it } from 'vitest'
import { planResize } from '../../../src/processing/resize-plan.js'

const limits = { minPixels: 3136, maxPixels: 12845056 }
const settings = {
  ...limits,
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  mean: [0, 0, 0],
  std: [1, 1, 1],
} as const
const config = { image: settings, video: settings }
const size = { height: 480, width: 640 }

describe('planResize', () => {
  it('resizes once with the kernel of the processor', () => {
    const once = { height: 476, width: 644 }
    const image = { ...size, kind: 'image', frames: 1 } as const
    expect(planResize(image, 'hf', config)).toEqual([{ ...once, kernel: 'torchvision-uint8' }])
    expect(planResize(image, 'hf-slow', config)).toEqual([{ ...once, kernel: 'pillow' }])
    expect(planResize(image, 'qwen-vl-utils', config)).toEqual([{ ...once, kernel: 'pillow' }])
    const video = { ...size, kind: 'video-file', frames: 8 } as const
    expect(planResize(video, 'hf-slow', config)).toEqual([{ ...once, kernel: 'torchvision-uint8' }])
  })

  it('gives qwen-vl-utils its video budget, shrinking with the number of frames', () => {
    const plan = (frames: number) => planResize({ ...size, kind: 'video-file', frames }, 'qwen-vl-utils', config)
    expect(plan(16)).toEqual([{ kernel: 'torchvision-float', height: 476, width: 644 }])
    expect(plan(768)).toEqual([{ kernel: 'torchvision-float', height: 420, width: 560 }])
  })

  it("rounds qwen-vl-utils' frame lists twice", () => {
    const plan = planResize({ ...size, kind: 'frame-list', frames: 4 }, 'qwen-vl-utils', config)
    expect(plan[0]).toEqual({ kernel: 'pillow', height: 504, width: 616 })
    expect(plan.length).toBe(1)
  })
})
