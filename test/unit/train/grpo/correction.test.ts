/** Weighing by trainer over sampler likelihood: nothing to weigh where both are one, and bounds where they are not. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type GRPOConfig, resolveGRPOConfig } from '../../../../src/train/grpo/config.js'
import { samplerRatioModes } from '../../../../src/train/grpo/sampler-ratio.js'
import type { FakeEngine } from '../fake-engine.js'
import { collect, grpo, largestDifference, scratch, stepMetrics, table } from '../harness.js'

const place = scratch()
const name = (what: string) => `sampling/importance_sampling_ratio/${what}`

/** Makes the sampler report log-probabilities that are off by `by` per token. */
function skew(engine: FakeEngine, by: number): void {
  const [model] = engine.models
  if (!model) throw new Error('no model')
  const generate = model.generate.bind(model)
  model.generate = async (batch, options) => {
    const generated = await generate(batch, options)
    return { ...generated, logps: generated.logps.map((logp) => logp + by) }
  }
}

async function train(folder: string, config: GRPOConfig, skewedBy = 0) {
  const { trainer, policy, engine } = await grpo(join(place.dir, folder), { maxSteps: 3, ...config })
  if (skewedBy !== 0) skew(engine, skewedBy)
  return { weights: table(policy), metrics: stepMetrics(await collect(trainer)) }
}

describe('importanceSamplingCorrection', () => {
  it.each(samplerRatioModes)('%s changes nothing where sampler and trainer agree', async (importanceSamplingMode) => {
    const plain = await train('plain', {})
    const corrected = await train('corrected', { importanceSamplingCorrection: true, importanceSamplingMode })
    expect(Math.max(...plain.weights)).toBeGreaterThan(0.1)
    expect(largestDifference(corrected.weights, plain.weights)).toBeLessThan(1e-6)
    for (const metrics of corrected.metrics) {
      for (const what of ['min', 'mean', 'max']) expect(metrics[name(what)]).toBeCloseTo(1, 5)
    }
    expect(plain.metrics[0]).not.toHaveProperty(name('mean'))
  })

  // The sampler's likelihoods are e^0.5 too low per token, and e for most sequences, which have two tokens.
  it.each([
    ['token_truncate', 1.5, 'min', 1.5],
    ['token_truncate', 9, 'max', Math.exp(0.5)],
    ['token_mask', 1.5, 'max', 0],
    ['token_mask', 2, 'min', Math.exp(0.5)],
    ['sequence_truncate', 2, 'max', 2],
    ['sequence_mask', 2, 'min', 0],
    ['sequence_mask', 3, 'max', Math.E],
  ] as const)('%s up to %d: the %s ratio is %d', async (importanceSamplingMode, clipMax, what, expected) => {
    const config = { importanceSamplingMode, importanceSamplingClipMax: clipMax, importanceSamplingCorrection: true }
    const { metrics } = await train('skewed', { ...config, maxSteps: 1 }, -0.5)
    expect(metrics[0]?.[name(what)]).toBeCloseTo(expected, 4)
    expect(metrics[0]?.['sampling/sampling_logp_difference/mean']).toBeCloseTo(0.5, 5)
  })

  it('cuts ratios below importanceSamplingClipMin too', async () => {
    const config = { importanceSamplingCorrection: true, importanceSamplingMode: 'token_mask', maxSteps: 1 } as const
    const { metrics, weights } = await train('low', { ...config, importanceSamplingClipMin: 0.7 }, 0.5)
    expect(metrics[0]?.[name('max')]).toBe(0)
    expect(weights.every((weight) => weight === 0)).toBe(true)
  })

  it('weighs the gradient: a ratio of 2 for all doubles it', async () => {
    const config: GRPOConfig = { maxSteps: 1, importanceSamplingMode: 'token_truncate' }
    const plain = await train('plain', config)
    const doubled = await train('doubled', { ...config, importanceSamplingCorrection: true }, -Math.LN2)
    const norms = [plain, doubled].map(({ metrics }) => metrics[0]?.grad_norm ?? Number.NaN)
    expect((norms[1] ?? 0) / (norms[0] ?? 1)).toBeCloseTo(2, 5)
  })

  it('takes the names that TRL has for it', () => {
    const config = resolveGRPOConfig({
      vllm_importance_sampling_correction: true,
      vllm_importance_sampling_mode: 'token_mask',
      vllm_importance_sampling_clip_max: 2,
      vllm_importance_sampling_clip_min: 0.5,
    })
    expect(config).toMatchObject({
      importanceSamplingCorrection: true,
      importanceSamplingMode: 'token_mask',
      importanceSamplingClipMax: 2,
      importanceSamplingClipMin: 0.5,
    })
  })

  it('is refused for vespo in the sequence modes', async () => {
    for (const importanceSamplingMode of ['sequence_mask', 'sequence_truncate'] as const) {
      const config = { lossType: 'vespo', importanceSamplingCorrection: true, importanceSamplingMode } as const
      await expect(grpo(place.dir, config)).rejects.toThrow(
        `expected importanceSamplingMode 'token_truncate' or 'token_mask', got '${importanceSamplingMode}'`,
      )
      await grpo(place.dir, { ...config, importanceSamplingMode: 'token_mask' })
    }
  })
})
