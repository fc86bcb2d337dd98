/** A loss that is not a number: the run stops with its weights as they were, and leaves what is needed to see it again. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { VsgrpoError } from '../../../src/errors.js'
import { grpoLoss } from '../../../src/losses/grpo.js'
import type { RewardFunc } from '../../../src/rewards/reward.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import type { CustomLoss } from '../../../src/train/grpo/custom-loss.js'
import { GRPOTrainer, type GRPOTrainerOptions } from '../../../src/train/index.js'
import { FakeModel } from './fake-engine.js'
import { args, collect, firstLetter, grpo, questions, scratch, stepMetrics, table } from './harness.js'

const place = scratch()
const healthy: CustomLoss = ({ options, ...inputs }) => grpoLoss(inputs, options)

/** Breaks in its n-th call, which is the n-th step: `how` says what comes out. */
function breaking(call: number, how: 'loss' | 'gradient'): CustomLoss {
  let calls = 0
  return (inputs) => {
    const output = healthy(inputs)
    if (++calls !== call) return output
    if (how === 'loss') return { ...output, loss: Number.NaN, dlogps: output.dlogps.fill(Number.NaN) }
    return { ...output, dlogps: output.dlogps.fill(Number.POSITIVE_INFINITY) }
  }
}

const base: GRPOConfig = { maxSteps: 4, lrSchedulerType: 'constant' }
const start = (folder: string, config: GRPOConfig, more: Partial<GRPOTrainerOptions>) =>
  grpo(join(place.dir, folder), { ...base, outputDir: join(place.dir, folder), ...config }, more)

async function failureOf(run: Promise<unknown>): Promise<VsgrpoError> {
  const error = await run.then(
    () => new Error('nothing failed'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof VsgrpoError) return error
  throw error
}

describe('a loss that becomes NaN', () => {
  it.each([
    ['loss', {}, /step 3: the loss is NaN; lower learningRate or maxGradNorm; the weights before it/],
    ['loss', { numIterations: 2 }, /step 3: the loss is NaN/],
    ['loss', { numIterations: 3 }, /step 3: the loss is NaN/],
    ['gradient', {}, /the gradient norm is NaN; the weights before it and its batch are in .*failed-step-3$/],
  ] satisfies ['loss' | 'gradient', GRPOConfig, RegExp][])(
    'in its %s, with %j, leaves weights, optimizer and samples of the step before',
    async (how, config, message) => {
      const before = await start('before', { ...config, maxSteps: 2 }, { loss: healthy })
      await before.trainer.train()
      const failing = await start('failing', config, { loss: breaking(3, how) })
      const error = await failureOf(failing.trainer.train())
      expect(error.code).toBe('ERR_VSGRPO_NUMERICS')
      expect(error.message).toMatch(message)
      expect(error.hint).toBe('Resume from that folder to see the step again.')

      expect(table(failing.policy)).toEqual(table(before.policy))
      expect(failing.engine.live).toEqual({ forwards: 0, optimizers: 0 })
      const checkpoints = join(place.dir, 'failing', 'checkpoints')
      expect(readdirSync(checkpoints)).toEqual(['failed-step-3'])
      const folder = join(checkpoints, 'failed-step-3')
      expect(readdirSync(folder)).toContain('samples.json')
      const [update] = JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8')).updates
      expect(update).toHaveLength(4)
      expect(JSON.parse(readFileSync(join(folder, 'trainer.json'), 'utf8'))).toMatchObject({ step: 2 })
      expect(JSON.parse(readFileSync(join(folder, 'model.safetensors'), 'utf8'))).toEqual([...table(before.policy)])
    },
  )

  it.each([{}, { numIterations: 3 }])(
    'is seen again from its folder, and gone on from with a cure: %j',
    async (config) => {
      const whole = await start('whole', config, { loss: healthy })
      const wholeEvents = await collect(whole.trainer)
      const failing = await start('failing', config, { loss: breaking(3, 'loss') })
      await failureOf(failing.trainer.train())
      const resumeFromCheckpoint = join(place.dir, 'failing', 'checkpoints', 'failed-step-3')

      const again = await start('failing', config, { loss: breaking(1, 'loss') })
      const error = await failureOf(again.trainer.train({ resumeFromCheckpoint }))
      expect(error.message).toMatch(/step 3: the loss is NaN.*failed-step-3$/)
      const cured = await start('failing', config, { loss: healthy })
      const events = await collect(cured.trainer.events({ resumeFromCheckpoint }))
      expect(table(cured.policy)).toEqual(table(whole.policy))
      const losses = [events, wholeEvents].map((all) => stepMetrics(all).map(({ loss }) => loss))
      expect(losses[0]).toEqual(losses[1]?.slice(2))
    },
  )

  it('is seen with the samples and rewards of that time, where the rewards would not come out again', async () => {
    const lucky: RewardFunc = ({ ids }) => ids.length + Math.random()
    const failing = await start('failing', {}, { loss: breaking(3, 'loss'), rewardFuncs: [lucky] })
    await failureOf(failing.trainer.train())
    const resumeFromCheckpoint = join(place.dir, 'failing', 'checkpoints', 'failed-step-3')
    const saved = JSON.parse(readFileSync(join(resumeFromCheckpoint, 'samples.json'), 'utf8'))

    const cured = await start('failing', { maxSteps: 3 }, { loss: healthy, rewardFuncs: [lucky] })
    const events = await collect(cured.trainer.events({ resumeFromCheckpoint }))
    const rows = events.flatMap((event) => (event.type === 'completions' ? event.rows : []))
    expect(rows).toEqual(saved.rows)
    expect(rows).toHaveLength(32)
    const { numTokens } = JSON.parse(readFileSync(join(resumeFromCheckpoint, 'trainer.json'), 'utf8'))
    expect(stepMetrics(events)[0]?.num_tokens).toBe(numTokens + saved.tokens)
  })

  it('is never taken for the newest checkpoint', async () => {
    const failing = await start('failing', { saveSteps: 2 }, { loss: breaking(3, 'loss') })
    await failureOf(failing.trainer.train())
    expect(readdirSync(join(place.dir, 'failing', 'checkpoints')).sort()).toEqual(['failed-step-3', 'step-2'])
    const again = await start('failing', {}, { loss: healthy })
    for await (const event of again.trainer.events({ resumeFromCheckpoint: true })) {
      if (event.type === 'start') expect(event.step).toBe(2)
    }
  })

  it('leaves nothing behind in the model: the same policy trains on', async () => {
    for (const how of ['loss', 'gradient'] as const) {
      const { trainer, policy } = await grpo(join(place.dir, how), base, { loss: breaking(1, how) })
      const error = await failureOf(trainer.train())
      expect(error.message).not.toMatch('failed-step')
      if (!(policy.native instanceof FakeModel)) throw new Error('not a fake model')
      expect(policy.native.gradient.every((slope) => slope === 0)).toBe(true)
      const rest = new GRPOTrainer({
        model: policy,
        trainDataset: questions,
        rewardFuncs: firstLetter,
        args: args({ maxSteps: 2 }),
      })
      expect(await rest.train()).toMatchObject({ reason: 'finished', steps: 2 })
    }
  })
})
