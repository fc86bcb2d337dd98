/** `importanceSamplingCorrection` in a run: trainer over sampler likelihood, the sampler's after top-k, as vLLM's in TRL. */
import { expect, it } from 'vitest'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import type { Metrics } from '../../src/types.js'
import { tinyFolder, tinyTrainer } from './tiny.js'

const folder = tinyFolder()

async function firstStep(args: GRPOConfig): Promise<Metrics> {
  const common: GRPOConfig = { maxSteps: 1, importanceSamplingCorrection: true, importanceSamplingMode: 'token_mask' }
  const { trainer, policy } = await tinyTrainer(folder.dir, { ...common, ...args })
  let metrics: Metrics = {}
  for await (const event of trainer) if (event.type === 'step') metrics = event.metrics
  policy.dispose()
  return metrics
}

const ratio = 'sampling/importance_sampling_ratio'

it('is 1 where the sampler drew from the policy itself, and less by what top-k cut off', async () => {
  const whole = await firstStep({})
  expect(whole[`${ratio}/min`]).toBeCloseTo(1, 3)
  expect(whole[`${ratio}/max`]).toBeCloseTo(1, 3)
  // Only the best token is left: the sampler is certain, and the ratio is the policy's probability.
  const best = await firstStep({ topK: 1 })
  expect(best[`${ratio}/max`]).toBeLessThan(0.9)
  expect(best['sampling/sampling_logp_difference/mean']).toBeCloseTo(-Math.log(best[`${ratio}/mean`] ?? 0), 0)
})
