/** Losses of one's own: the same run as with the built-in loss, and `checkLoss`, which finds wrong gradients. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultGrpoOptions, grpoLoss } from '../../../../src/losses/index.js'
import type { GRPOConfig } from '../../../../src/train/grpo/config.js'
import { type CustomLoss, checkLoss } from '../../../../src/train/grpo/custom-loss.js'
import { collect, grpo, largestDifference, scratch, stepMetrics, table } from '../harness.js'

const place = scratch()

/** The clipped loss with a k3 penalty, written as a user would. */
const clipped: CustomLoss = ({ logps, oldLogps = logps, refLogps = logps, advantages, weights, options }) => {
  const { epsilonLow, epsilonHigh, beta } = options
  const dlogps = new Float32Array(logps.length)
  let loss = 0
  logps.forEach((logp, k) => {
    const [old = 0, ref = 0, advantage = 0, weight = 0] = [oldLogps[k], refLogps[k], advantages[k], weights[k]]
    const ratio = Math.exp(logp - old)
    const bounded = Math.min(Math.max(ratio, 1 - epsilonLow), 1 + epsilonHigh)
    const isClipped = bounded * advantage < ratio * advantage
    const kl = Math.exp(ref - logp) - (ref - logp) - 1
    loss += weight * (beta * kl - Math.min(ratio * advantage, bounded * advantage))
    dlogps[k] = weight * (beta * (1 - Math.exp(ref - logp)) - (isClipped ? 0 : ratio * advantage))
  })
  return { loss, dlogps, metrics: { doubled: 2 } }
}

const builtIn: CustomLoss = ({ options, ...inputs }) => grpoLoss(inputs, options)

describe('a custom loss', () => {
  async function train(name: string, config: GRPOConfig, loss?: CustomLoss) {
    const { trainer, policy } = await grpo(join(place.dir, name), { maxSteps: 4, ...config }, { loss })
    return { weights: table(policy), metrics: stepMetrics(await collect(trainer)) }
  }

  it('written in TypeScript trains as the built-in one', async () => {
    const config: GRPOConfig = { numIterations: 2, beta: 0.05, useBiasCorrectionKl: false, epsilonHigh: 0.28 }
    const [own, expected] = [await train('own', config, clipped), await train('built-in', config)]
    expect(Math.max(...expected.weights)).toBeGreaterThan(0.1)
    expect(largestDifference(own.weights, expected.weights)).toBeLessThan(1e-6)
    for (const [step, { loss = 0, entropy = 0 }] of expected.metrics.entries()) {
      expect(own.metrics[step]?.loss).toBeCloseTo(loss, 6)
      expect(own.metrics[step]?.entropy).toBeCloseTo(entropy, 12)
    }
    expect(own.metrics[0]?.doubled).toBe(2)
  })

  it.each<[string, GRPOConfig]>([
    ['masks and sampler ratios', { topEntropyQuantile: 0.5, importanceSamplingCorrection: true, numIterations: 2 }],
    ['an entropy bonus', { entropyCoef: 0.1 }],
    ['an adaptive entropy bonus', { useAdaptiveEntropy: true, entropyTarget: 9, entropyCoefDelta: 0.05 }],
  ])('sees %s as the built-in one does', async (_, config) => {
    const [own, expected] = [await train('own', config, builtIn), await train('built-in', config)]
    expect(own.weights).toEqual(expected.weights)
    expect(own.metrics.map(({ entropy_coef }) => entropy_coef)).toEqual(
      expected.metrics.map(({ entropy_coef }) => entropy_coef),
    )
  })

  it('gives the same weights whatever the micro-batch', async () => {
    const config: GRPOConfig = { numIterations: 2, beta: 0.05 }
    const whole = await train('whole', { ...config, tokensPerMicroBatch: 10_000 }, clipped)
    const parts = await train('parts', { ...config, tokensPerMicroBatch: 1 }, clipped)
    expect(largestDifference(parts.weights, whole.weights)).toBeLessThan(1e-9)
  })

  it('is named in the description of the run', async () => {
    const { trainer } = await grpo(place.dir, { maxSteps: 1 }, { loss: clipped })
    const [start] = await collect(trainer)
    expect(start).toMatchObject({ type: 'start', config: { loss: 'clipped' } })
  })

  it.each<[string, CustomLoss, string]>([
    [
      'too few gradients',
      () => ({ loss: 0, dlogps: new Float32Array(3) }),
      '[loss] dlogps: expected a Float32Array of 32 values, one per token, got 3 values',
    ],
    [
      'too many slopes of the entropy',
      ({ logps }) => ({ loss: 0, dlogps: logps, dentropy: new Float32Array(33) }),
      '[loss] dentropy: expected a Float32Array of 32 values, one per token, got 33 values',
    ],
    [
      'an ordinary array',
      ({ logps }) => ({ loss: 0, dlogps: [...logps] as unknown as Float32Array }),
      '[loss] dlogps: expected a Float32Array of 32 values, one per token, got object',
    ],
    [
      'no value',
      ({ logps }) => ({ dlogps: logps }) as ReturnType<CustomLoss>,
      '[loss] loss: expected a number, got undefined',
    ],
  ])('with %s is refused', async (_, loss, message) => {
    const { trainer, engine } = await grpo(place.dir, { maxSteps: 1, maxCompletionLength: 1 }, { loss })
    await expect(trainer.train()).rejects.toThrow(message)
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
  })
})

describe('checkLoss', () => {
  it('accepts the built-in loss and one written anew', () => {
    expect(checkLoss(builtIn).error).toBeLessThan(2e-3)
    expect(checkLoss(clipped).error).toBeLessThan(2e-3)
  })

  it('hands every optional array over', () => {
    checkLoss((inputs) => {
      expect(Object.values(inputs).every((value) => value !== undefined)).toBe(true)
      expect(Object.keys(inputs).sort()).toEqual([
        ...['advantages', 'entropy', 'entropyBonus', 'logps', 'offsets', 'oldLogps', 'options', 'policyMask'],
        ...['refLogps', 'samplerRatios', 'samplingLogps', 'weights'],
      ])
      return builtIn(inputs)
    })
  })

  const bent =
    (token: number, value: number): CustomLoss =>
    (inputs) => {
      const output = builtIn(inputs)
      return { ...output, dlogps: output.dlogps.with(token, value) }
    }

  it.each([
    ['wrong', 1],
    ['left out', 0],
    ['not a number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
  ])('names the token whose gradient is %s', (_, value) => {
    for (const token of [0, 2, 8]) {
      const message = new RegExp(
        `^\\[checkLoss\\] dlogps\\[${token}\\] is ${value}, the slope of the loss there is -?0\\.\\d+`,
      )
      expect(() => checkLoss(bent(token, value))).toThrow(message)
    }
  })

  it('finds a gradient of the wrong sign, scale and entropy', () => {
    const flipped: CustomLoss = (inputs) => ({ ...clipped(inputs), dlogps: clipped(inputs).dlogps.map((x) => -x) })
    const doubled: CustomLoss = (inputs) => ({ ...clipped(inputs), loss: 2 * clipped(inputs).loss })
    const greedy: CustomLoss = ({ entropy, logps }) => ({ loss: -(entropy[4] ?? 0), dlogps: logps.map(() => 0) })
    expect(() => checkLoss(flipped)).toThrow('[checkLoss] dlogps')
    expect(() => checkLoss(doubled)).toThrow('[checkLoss] dlogps')
    expect(() => checkLoss(greedy)).toThrow(
      /\[checkLoss\] dentropy\[4\] is 0, the slope of the loss there is -(1|0\.99)/,
    )
  })

  it('finds a loss that is not a sum over completions, though its gradients are right', () => {
    const averaged: CustomLoss = (inputs) => {
      const count = inputs.offsets.length - 1
      const { loss, dlogps } = clipped(inputs)
      return { loss: loss / count, dlogps: dlogps.map((slope) => slope / count) }
    }
    const centred: CustomLoss = ({ logps, weights }) => {
      const mean = logps.reduce((sum, logp) => sum + logp, 0) / logps.length
      const loss = logps.reduce((sum, logp, k) => sum + (weights[k] ?? 0) * (logp - mean) ** 2, 0)
      const drift = logps.reduce((sum, logp, k) => sum + (2 * (weights[k] ?? 0) * (logp - mean)) / logps.length, 0)
      return { loss, dlogps: logps.map((logp, k) => 2 * (weights[k] ?? 0) * (logp - mean) - drift) }
    }
    for (const loss of [averaged, centred]) {
      expect(() => checkLoss(loss)).toThrow(
        /^\[checkLoss\] the loss of all completions is -?[\d.]+, those of each alone add up to -?[\d.]+; make it a sum/,
      )
    }
  })

  it('takes inputs and a tolerance of the caller, and refuses gradients of the wrong length', () => {
    const inputs = {
      logps: Float32Array.of(-1, -2),
      weights: Float32Array.of(1, 1),
      offsets: Int32Array.of(0, 2),
      advantages: Float32Array.of(1, 1),
      entropy: Float32Array.of(1, 1),
      samplingLogps: Float32Array.of(-1, -2),
      options: defaultGrpoOptions,
    }
    const cubic: CustomLoss = ({ logps }) => ({ loss: (logps[1] ?? 0) ** 3, dlogps: Float32Array.of(0, 12.5) })
    expect(() => checkLoss(cubic, { inputs })).toThrow('dlogps[1] is 12.5')
    expect(checkLoss(cubic, { inputs, tolerance: 0.1 })).toMatchObject({ token: 1, of: 'dlogps' })
    expect(() => checkLoss(() => ({ loss: 0, dlogps: new Float32Array(1) }), { inputs })).toThrow(
      '[loss] dlogps: expected a Float32Array of 2 values',
    )
  })
})
