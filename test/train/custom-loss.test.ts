/** A loss in TypeScript on the engine: its gradients through `backward({ loss: 'external' })` train as the fused kernel does. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type CustomLoss, checkLoss, grpoLoss } from '../../src/index.js'
import { native } from '../../src/native.js'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import type { Metrics } from '../../src/types.js'
import { readWeights, relativeDifference, tinyFolder, tinyTrainer } from './tiny.js'

const folder = tinyFolder()
const wrapped: CustomLoss = ({ options, ...inputs }) => ({ ...grpoLoss(inputs, options), metrics: { own: 1 } })

async function train(name: string, args: GRPOConfig, loss?: CustomLoss) {
  const common: GRPOConfig = { maxSteps: 4, learningRate: 1e-2, adamEpsilon: 1e-3, numIterations: 2 }
  const { trainer, policy } = await tinyTrainer(folder.dir, { ...common, ...args }, { loss })
  const metrics: Metrics[] = []
  for await (const event of trainer) if (event.type === 'step') metrics.push(event.metrics)
  await trainer.saveModel(join(folder.dir, name))
  policy.dispose()
  return { weights: readWeights(join(folder.dir, name, 'model.safetensors')).values, metrics }
}

it.each<GRPOConfig>([
  { beta: 0.05 },
  { lossType: 'grpo', importanceSamplingLevel: 'sequence', epsilonHigh: 0.28 },
  { lossType: 'sapo', beta: 0.05, useBiasCorrectionKl: false, klEstimator: 'k2' },
  { lossType: 'vespo' },
  { entropyCoef: 0.02, topEntropyQuantile: 0.5 },
])('gives the weights of the fused loss: %j', async (args) => {
  checkLoss(wrapped)
  const origin = readWeights(join(folder.dir, 'tiny', 'model.safetensors')).values
  const [own, fused] = [await train('own', args, wrapped), await train('fused', args)]
  expect(relativeDifference(own.weights, fused.weights, origin)).toBeLessThan(1e-5)
  for (const [step, { loss = 0, grad_norm = 0, entropy = 0 }] of fused.metrics.entries()) {
    expect(own.metrics[step]?.own).toBe(1)
    expect(own.metrics[step]?.loss).toBeCloseTo(loss, 5)
    expect(own.metrics[step]?.grad_norm).toBeCloseTo(grad_norm, 4)
    expect(own.metrics[step]?.entropy).toBeCloseTo(entropy, 5)
  }
  expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
})

it('that becomes NaN stops the run; the weights are as before, and the same model trains on', async () => {
  let calls = 0
  const breaking: CustomLoss = (inputs) => {
    const output = wrapped(inputs)
    return ++calls === 1 ? { loss: Number.NaN, dlogps: output.dlogps.fill(Number.NaN) } : output
  }
  const { trainer, policy } = await tinyTrainer(folder.dir, { maxSteps: 2, learningRate: 1e-2 }, { loss: breaking })
  await expect(trainer.train()).rejects.toMatchObject({ code: 'ERR_VSGRPO_NUMERICS' })
  await trainer.saveModel(join(folder.dir, 'kept'))
  const [kept, origin] = ['kept', 'tiny'].map((name) => readWeights(join(folder.dir, name, 'model.safetensors')).values)
  expect(kept).toEqual(origin)
  expect(await trainer.train()).toMatchObject({ reason: 'finished', steps: 2 })
  policy.dispose()
})
