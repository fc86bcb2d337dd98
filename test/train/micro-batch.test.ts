/** The size of the micro-batches is a matter of memory alone: on the engine, weights after three steps agree to rounding. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { native } from '../../src/native.js'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import { readWeights, relativeDifference, tinyFolder, tinyTrainer } from './tiny.js'

const folder = tinyFolder()

async function train(name: string, args: GRPOConfig): Promise<Float32Array> {
  // Epsilon well above the rounding of small gradients, which Adam would blow up. All steps learn from one generation: weights
  // that differ by their rounding may draw another token where a random number meets the border between two.
  const common: GRPOConfig = { maxSteps: 3, learningRate: 1e-2, adamEpsilon: 1e-3, beta: 0.05, numIterations: 3 }
  const { trainer, policy } = await tinyTrainer(folder.dir, { ...common, ...args })
  await trainer.train()
  const saved = join(folder.dir, name)
  await trainer.saveModel(saved)
  policy.dispose()
  return readWeights(join(saved, 'model.safetensors')).values
}

it.each<GRPOConfig>([
  { lossType: 'dapo' },
  { lossType: 'grpo', importanceSamplingLevel: 'sequence' },
  { lossType: 'bnpo', perDeviceTrainBatchSize: 8, gradientAccumulationSteps: 3 },
  { lossType: 'cispo', epsilonHigh: 5 },
  { lossType: 'sapo' },
  { lossType: 'vespo' },
  { lossType: 'luspo', importanceSamplingLevel: 'sequence', scaleRewards: 'batch' },
  { lossType: 'dr_grpo', entropyCoef: 0.02 },
  { lossType: 'dapo', offPolicyMaskThreshold: 0.001, importanceSamplingCorrection: true },
  { lossType: 'dapo', gradientCheckpointing: true },
])('%j', async (args) => {
  const origin = readWeights(join(folder.dir, 'tiny', 'model.safetensors')).values
  const whole = await train('whole', { ...args, tokensPerMicroBatch: 100_000 })
  // A group at a time, and two of the three.
  for (const tokensPerMicroBatch of [1, 130]) {
    const parts = await train(`parts-${tokensPerMicroBatch}`, { ...args, tokensPerMicroBatch })
    expect(parts).toHaveLength(whole.length)
    expect(relativeDifference(parts, whole, origin)).toBeLessThan(1e-5)
  }
  expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
})
