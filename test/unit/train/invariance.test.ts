/** What changes nothing: the size of the micro-batches, and the order of the prompts. For every loss. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LossType } from '../../../src/losses/grpo-options.js'
import { lossTypes } from '../../../src/losses/grpo-options.js'
import type { Policy } from '../../../src/policy.js'
import { named } from '../../../src/rewards/reward.js'
import { type GRPOConfig, resolveGRPOConfig } from '../../../src/train/grpo/config.js'
import { grpo as grpoAlgorithm } from '../../../src/train/grpo/grpo.js'
import { takeUpdate } from '../../../src/train/update.js'
import { alphabet, fakePolicy } from './fake-engine.js'
import { args, grpo, largestDifference, questions, runContext, scratch, table } from './harness.js'

const place = scratch()

/** Nearly every answer earns something else, so that every group teaches. */
const late = named('late', ({ ids }) => ids.reduce((sum, id, t) => sum + id / (t + 1), 0))
const levels = ['token', 'sequence'] as const
const cases = lossTypes.flatMap((lossType) => levels.map((level) => [lossType, level] as const))

/** Further options that weigh tokens by what the other tokens of a step are. */
const variants: readonly (readonly [string, GRPOConfig])[] = [
  ['nothing else', {}],
  ['topEntropyQuantile', { topEntropyQuantile: 0.5 }],
  ['offPolicyMaskThreshold', { offPolicyMaskThreshold: 0.02 }],
  ['entropyCoef', { entropyCoef: 0.05 }],
]

function configOf(lossType: LossType, level: (typeof levels)[number], more: GRPOConfig): GRPOConfig {
  return args({
    lossType,
    importanceSamplingLevel: level,
    numIterations: 2,
    numGenerations: 4,
    perDeviceTrainBatchSize: 8,
    gradientAccumulationSteps: 2,
    maxCompletionLength: 4,
    learningRate: 0.1,
    adamEpsilon: 1e-4,
    beta: 0.05,
    maxSteps: 3,
    ...more,
  })
}

/** Answers of different lengths: the end is likelier than any letter. */
function endEarly(policy: Policy): void {
  const logits = table(policy)
  for (let row = 0; row < alphabet.length; row++) logits[row * alphabet.length] = 2
}

describe('micro-batches', () => {
  /** Weights after three steps, the second and third off-policy or on new samples. */
  async function train(config: GRPOConfig): Promise<{ weights: Float64Array; passes: number }> {
    const { trainer, policy, engine } = await grpo(place.dir, config, { rewardFuncs: [late] })
    endEarly(policy)
    let passes = 0
    engine.onForward = () => passes++
    await trainer.train()
    return { weights: table(policy), passes }
  }

  it.each(cases)('of any size give the same weights: %s, %s level', async (lossType, level) => {
    const found: Float64Array[] = []
    for (const [, more] of variants) {
      const config = configOf(lossType, level, more)
      const whole = await train({ ...config, tokensPerMicroBatch: 10_000 })
      for (const tokensPerMicroBatch of [1, 25]) {
        const parts = await train({ ...config, tokensPerMicroBatch })
        expect(parts.passes).toBeGreaterThan(whole.passes)
        expect(largestDifference(parts.weights, whole.weights)).toBeLessThan(1e-9)
      }
      found.push(whole.weights)
    }
    const [plain = new Float64Array(), ...others] = found
    for (const other of others) expect(largestDifference(other, plain)).toBeGreaterThan(1e-6)
  })
})

describe('the order of prompts in a step', () => {
  /** Weights after two batches of two steps each, the prompts of every batch in this order. */
  async function train(config: GRPOConfig, order: readonly number[]): Promise<Float64Array> {
    const { policy } = await fakePolicy(join(place.dir, 'model'))
    endEarly(policy)
    const values = resolveGRPOConfig(config)
    const reference = await policy.reference()
    const algorithm = grpoAlgorithm({ config: values, rewards: [late], rewardWeights: [1], reference })
    const optimizer = await policy.createOptimizer({ beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0 })
    for (const batchNumber of [0, 1]) {
      const run = runContext(policy, questions, { batchNumber, step: 2 * batchNumber + 1 })
      const { updates } = await algorithm.prepare(order, run)
      for (const units of updates) await takeUpdate({ policy, optimizer, algorithm, config: values }, units, run, 0.1)
    }
    return table(policy)
  }

  const inOrder = [0, 1, 2, 3]
  it.each(cases)('gives the same weights within slices and of whole slices: %s, %s level', async (lossType, level) => {
    for (const [, more] of variants) {
      const config = configOf(lossType, level, more)
      const weights = await train(config, inOrder)
      expect(Math.max(...weights)).toBeGreaterThan(0.05)
      for (const order of [
        [1, 0, 3, 2],
        [3, 2, 0, 1],
      ]) {
        expect(largestDifference(await train(config, order), weights)).toBeLessThan(1e-9)
      }
    }
  })

  // A slice is a unit of TRL's arithmetic: bnpo divides by its tokens, entropies are ranked and averaged within it.
  const sliced = ([lossType, , [name]]: readonly [LossType, string, readonly [string, GRPOConfig]]) =>
    lossType === 'bnpo' || name === 'topEntropyQuantile' || name === 'entropyCoef'
  const grid = cases.flatMap(([lossType, level]) => variants.map((variant) => [lossType, level, variant] as const))

  it('gives the same weights across slices where nothing is counted by the slice', async () => {
    for (const [lossType, level, [, more]] of grid.filter((entry) => !sliced(entry))) {
      const config = configOf(lossType, level, more)
      const difference = largestDifference(await train(config, [0, 2, 1, 3]), await train(config, inOrder))
      expect(difference, `${lossType} ${level}`).toBeLessThan(1e-9)
    }
  })

  it('matters across slices for bnpo, topEntropyQuantile and the entropy bonus, by their definition', async () => {
    for (const [lossType, level, [name, more]] of grid.filter(sliced)) {
      const config = configOf(lossType, level, more)
      const difference = largestDifference(await train(config, [0, 2, 1, 3]), await train(config, inOrder))
      expect(difference, `${lossType} ${level} ${name}`).toBeGreaterThan(1e-6)
    }
  })
})
