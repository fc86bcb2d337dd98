// What is kept of images and videos: the cache, or the prompts of two batches where these are more.
import { describe, expect, it } from 'vitest'
import { keptMedia } from '../../../src/plan/kept-media.js'
import type { RowSizes } from '../../../src/plan/sizes.js'
import { type AlgorithmName, planSteps } from '../../../src/plan/steps.js'
import { qwen2b, step } from './shapes.js'

const cacheBytes = 512 * 2 ** 20
/** Bytes of the patches of one prompt: 4.55 MB. */
const each = 3872 * 1176

/** Of a dataset of 1000 rows, each with media of its own unless `media` says otherwise. */
function held(algorithm: AlgorithmName, args: object, media = 1000): number {
  const size = { prompt: step.prompt, answer: 40, turns: 0 }
  const rows: RowSizes = { rows: 8, longest: size, mean: size, media }
  return keptMedia(qwen2b, planSteps(algorithm, { ...args }), rows, { length: 1000 }).heldMedia
}

describe('media in TypeScript', () => {
  it('are those of the cache where it has room for the prompts at hand', () => {
    expect(held('sft', { perDeviceTrainBatchSize: 32 })).toBe(cacheBytes)
    expect(held('sft', { perDeviceTrainBatchSize: 32 }, 3)).toBe(3 * each)
    expect(held('sft', { perDeviceTrainBatchSize: 32, maxSteps: 1 })).toBe(32 * each)
  })

  it('are those of the batch that is learned from and of the next, which is read meanwhile, where these are more', () => {
    expect(held('sft', { perDeviceTrainBatchSize: 128 })).toBe(2 * 128 * each)
    expect(held('dpo', { perDeviceTrainBatchSize: 64, gradientAccumulationSteps: 4 })).toBe(2 * 256 * each)
    const groups = { perDeviceTrainBatchSize: 1600, numGenerations: 8 }
    expect(held('grpo', groups)).toBe(2 * 200 * each)
    expect(held('grpo', { ...groups, promptsPerMedia: 2 })).toBe(2 * 100 * each)
  })

  it('are no more than a run comes to', () => {
    expect(held('sft', { perDeviceTrainBatchSize: 600 })).toBe(1000 * each)
    expect(held('sft', { perDeviceTrainBatchSize: 600, maxSteps: 1 })).toBe(600 * each)
    expect(held('sft', { perDeviceTrainBatchSize: 600 }, 200)).toBe(200 * each)
    // Four rows in each of eight places.
    const packed = { perDeviceTrainBatchSize: 8, packing: true, maxLength: 4224 }
    expect(held('sft', { ...packed, maxSteps: 1 })).toBe(32 * each)
    expect(held('sft', packed)).toBe(cacheBytes)
  })

  it('are those of one batch where rows are packed, which are not read ahead', () => {
    // Four prompts of 1016 and their answers fit into a place.
    const packed = { perDeviceTrainBatchSize: 64, packing: true, maxLength: 4224 }
    expect(held('sft', packed)).toBe(4 * 64 * each)
  })
})
