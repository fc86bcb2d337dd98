import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { accuracyReward } from '../../../src/rewards/accuracy.js'
import { named } from '../../../src/rewards/reward.js'
import type { TrainEvent } from '../../../src/train/events.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { GRPOTrainer, type GRPOTrainerOptions, SFTTrainer } from '../../../src/train/index.js'
import { FakeModel, fakePolicy } from './fake-engine.js'
import {
  args,
  collect,
  firstLetter,
  isMeasured,
  grpo as makeGrpo,
  questions,
  scratch,
  stepMetrics,
  table,
} from './harness.js'

const place = scratch()

function grpo(folder: string, config: GRPOConfig, more: Partial<GRPOTrainerOptions> = {}) {
  return makeGrpo(join(place.dir, folder), config, more)
}

describe('GRPOTrainer', () => {
  it.each(['dapo', 'grpo', 'bnpo', 'dr_grpo'] as const)(
    'raises the reward of a bandit with loss type %s',
    async (lossType) => {
      const { trainer } = await grpo('run', {
        lossType,
        numGenerations: 16,
        perDeviceTrainBatchSize: 64,
        maxSteps: 100,
      })
      const before = await trainer.evaluate()
      const rewards = stepMetrics(await collect(trainer)).map(({ reward = 0 }) => reward)
      const after = await trainer.evaluate()
      expect(rewards[0]).toBeLessThan(0.3)
      expect(rewards.at(-1)).toBeGreaterThan(0.9)
      expect(before.eval_reward).toBeLessThan(0.5)
      expect(after.eval_reward).toBe(1)
    },
  )

  it('learns nothing from a reward that is the same for all', async () => {
    const { trainer, policy } = await grpo('run', { maxSteps: 3 }, { rewardFuncs: [() => 1] })
    const events = await collect(trainer)
    expect(table(policy).every((logit) => logit === 0)).toBe(true)
    expect(stepMetrics(events)[0]).toMatchObject({ frac_reward_zero_std: 1, reward: 1, reward_std: 0 })
  })

  it('gives every metric TRL has a name for', async () => {
    const { trainer } = await grpo('run', { maxSteps: 1, beta: 0.1 }, { rewardFuncs: [firstLetter, accuracyReward()] })
    const [metrics = {}] = stepMetrics(await collect(trainer))
    expect(Object.keys(metrics).filter((name) => !isMeasured(name))).toEqual([
      'clip_ratio/high_max',
      'clip_ratio/high_mean',
      'clip_ratio/low_mean',
      'clip_ratio/low_min',
      'clip_ratio/region_mean',
      'completions/clipped_ratio',
      'completions/max_length',
      'completions/max_terminated_length',
      'completions/mean_length',
      'completions/mean_terminated_length',
      'completions/min_length',
      'completions/min_terminated_length',
      'entropy',
      'epoch',
      'frac_reward_zero_std',
      'grad_norm',
      'kl',
      'learning_rate',
      'loss',
      'num_tokens',
      'reward',
      'reward_std',
      'rewards/accuracy/mean',
      'rewards/accuracy/std',
      'rewards/first/mean',
      'rewards/first/std',
      'sampling/sampling_logp_difference/max',
      'sampling/sampling_logp_difference/mean',
    ])
    expect(Object.keys(metrics).filter(isMeasured)).toEqual([
      ...['memory/gradients', 'memory/optimizer', 'memory/peak', 'memory/rss', 'memory/weights'],
      ...['backward', 'generation', 'logps', 'optimizer', 'rewards'].map((phase) => `profiling/${phase}`),
      ...['step_time', 'tokens_per_second', 'tokens_per_second/generation'],
    ])
    expect(metrics.entropy).toBeCloseTo(Math.log(29), 4)
    expect(metrics['sampling/sampling_logp_difference/max']).toBeLessThan(1e-6)
  })

  it.each(['off', 'drop'] as const)(
    'gives the same weights whatever the micro-batch, with dynamicSampling %s',
    async (dynamicSampling) => {
      const tables = []
      for (const tokensPerMicroBatch of [1, 25, 10_000]) {
        const { trainer, policy, engine } = await grpo(`run${tokensPerMicroBatch}`, {
          maxSteps: 3,
          tokensPerMicroBatch,
          beta: 0.05,
          dynamicSampling,
          epsilonHigh: 0.28,
        })
        let passes = 0
        engine.onForward = () => passes++
        await trainer.train()
        if (tokensPerMicroBatch === 1 && dynamicSampling === 'off') expect(passes).toBeGreaterThan(12)
        tables.push(table(policy))
      }
      const [first = new Float64Array(), ...others] = tables
      expect(Math.max(...first)).toBeGreaterThan(0.1)
      for (const other of others) {
        expect(Math.max(...first.map((value, i) => Math.abs(value - (other[i] ?? 0))))).toBeLessThan(1e-5)
      }
    },
  )

  it('keeps the policy nearer to the reference with a larger beta', async () => {
    const distances: number[] = []
    for (const beta of [0.01, 2]) {
      const { trainer, engine } = await grpo(`beta${beta}`, { beta, maxSteps: 20 })
      const { metrics } = await trainer.train()
      distances.push(metrics.kl ?? Number.NaN)
      // The frozen copy is freed at the end of the run; the policy is not.
      expect(engine.models.map(({ disposed }) => disposed)).toEqual([false, true])
    }
    expect(distances[1]).toBeLessThan(0.5 * (distances[0] ?? 0))
  })

  it('takes the model without adapters as the reference under LoRA', async () => {
    const lora = { r: 2, alpha: 4, targetModules: ['q_proj'], seed: 0 }
    const { policy, engine } = await fakePolicy(join(place.dir, 'model'), { lora })
    const trainer = new GRPOTrainer({
      model: policy,
      trainDataset: questions,
      rewardFuncs: firstLetter,
      args: args({ beta: 0.1, maxSteps: 5 }),
    })
    const metrics = stepMetrics(await collect(trainer))
    expect(metrics[0]?.kl).toBe(0)
    expect(metrics.at(-1)?.kl).toBeGreaterThan(0)
    expect(engine.models).toHaveLength(1)
  })

  it('trains several times on the same completions, with the ratio to the policy that sampled them', async () => {
    const { trainer, policy } = await grpo('run', { numIterations: 4, maxSteps: 8 })
    const native = policy.native
    const metrics = stepMetrics(await collect(trainer))
    expect(native instanceof FakeModel && native.generateCalls).toBe(2)
    expect(metrics[0]?.['clip_ratio/region_mean']).toBe(0)
    expect(metrics[3]?.['clip_ratio/region_mean']).toBeGreaterThan(0)
  })

  it('feeds several updates from one generation batch', async () => {
    const { trainer, policy } = await grpo('run', { perDeviceTrainBatchSize: 8, stepsPerGeneration: 4, maxSteps: 8 })
    const native = policy.native
    const events = await collect(trainer)
    expect(native instanceof FakeModel && native.generateCalls).toBe(2)
    expect(events.filter(({ type }) => type === 'completions')).toHaveLength(2)
    expect(stepMetrics(events)).toHaveLength(8)
  })

  it('frees every pass and the optimizer, and never the policy', async () => {
    const { trainer, policy, engine } = await grpo('run', { maxSteps: 3, beta: 0.1 })
    await trainer.train()
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
    expect(policy.native instanceof FakeModel && policy.native.disposed).toBe(false)
  })

  it('stops with the example and the reward named when a reward fails, and frees what it holds', async () => {
    const { trainer, engine } = await grpo('run', {}, { rewardFuncs: [named('picky', () => Number.NaN)] })
    await expect(trainer.train()).rejects.toThrow(/\[reward picky\] example (one|two|three|four), .* gave NaN/)
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
  })

  it('ends with reason stopped when a callback says stop', async () => {
    const { trainer } = await grpo(
      'run',
      {},
      { callbacks: [(event) => (event.type === 'step' && event.step === 3 ? 'stop' : undefined)] },
    )
    expect(await trainer.train()).toMatchObject({ reason: 'stopped', steps: 3 })
  })

  it('tells reporters of the end, and closes them, when the caller leaves the loop over the events', async () => {
    const heard: string[] = []
    const reporter = {
      onEvent: (event: TrainEvent) => void heard.push(event.type),
      close: () => void heard.push('closed'),
    }
    const { trainer, engine } = await grpo('run', { logCompletions: false }, { reporters: [reporter] })
    for await (const event of trainer) if (event.type === 'step' && event.step === 2) break
    expect(heard.filter((type) => type !== 'warning')).toEqual(['start', 'step', 'step', 'end', 'closed'])
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
  })

  it('frees everything where a reporter cannot be closed, and says so unless something else came before', async () => {
    const closed: string[] = []
    const broken = {
      onEvent() {},
      close() {
        throw new Error('no room for the last line')
      },
    }
    const whole = { onEvent() {}, close: () => void closed.push('closed') }
    const config = { maxSteps: 1, outputDir: join(place.dir, 'out') }
    const reporters = { reporters: [broken, whole] }
    const { trainer, engine } = await grpo('run', config, reporters)
    await expect(trainer.train()).rejects.toThrow('no room for the last line')
    expect(closed).toEqual(['closed'])
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
    const stumbles = named('stumbles', () => Promise.reject(new Error('no answer')))
    const again = await grpo('run', config, { ...reporters, rewardFuncs: [stumbles] })
    await expect(again.trainer.train()).rejects.toThrow('no answer')
  })

  it('frees what it has begun with where it cannot say what it will do', async () => {
    const { trainer, policy, engine } = await grpo('run', {})
    policy.native.info = () => {
      throw new Error('no answer')
    }
    await expect(trainer.train()).rejects.toThrow('no answer')
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
  })

  it('refuses rewards and weights of different number, and needs at least one reward', async () => {
    await expect(grpo('a', {}, { rewardWeights: [1, 2] })).rejects.toThrow(
      'expected one weight for each of the 1 rewards, got 2',
    )
    await expect(grpo('b', {}, { rewardFuncs: [] })).rejects.toThrow('at least one reward')
  })
})

describe('SFTTrainer', () => {
  const lessons = fromArray([
    { messages: [{ role: 'user', content: 'red a' }], completion: 'xy' },
    { messages: [{ role: 'user', content: 'red b' }], completion: 'yz' },
    { messages: [{ role: 'user', content: 'red c' }], completion: 'z' },
  ])

  it('learns the completions and their end', async () => {
    const { policy } = await fakePolicy(join(place.dir, 'model'))
    const trainer = new SFTTrainer({
      model: policy,
      trainDataset: lessons,
      evalDataset: lessons,
      args: { learningRate: 0.3, maxSteps: 60, perDeviceTrainBatchSize: 3, evalSteps: 30 },
    })
    const events = await collect(trainer)
    const losses = stepMetrics(events).map(({ loss = 0 }) => loss)
    expect(losses[0]).toBeCloseTo(Math.log(29), 4)
    expect(losses.at(-1)).toBeLessThan(0.9)
    const evaluations = events.flatMap((event) => (event.type === 'eval' ? [event.metrics] : []))
    expect(evaluations).toHaveLength(2)
    expect(evaluations[1]?.eval_loss).toBeLessThan(evaluations[0]?.eval_loss ?? 0)
    expect(evaluations[1]?.eval_mean_token_accuracy).toBeGreaterThan(0.7)
  })

  it('takes the last, shorter batch of an epoch too', async () => {
    const { policy } = await fakePolicy(join(place.dir, 'model'))
    const trainer = new SFTTrainer({
      model: policy,
      trainDataset: lessons,
      args: { numTrainEpochs: 2, perDeviceTrainBatchSize: 2 },
    })
    expect(await trainer.train()).toMatchObject({ reason: 'finished', steps: 4 })
  })

  it('names the row that has no completion', async () => {
    const { policy } = await fakePolicy(join(place.dir, 'model'))
    const trainer = new SFTTrainer({ model: policy, trainDataset: questions, args: { maxSteps: 1 } })
    await expect(trainer.train()).rejects.toThrow(/example (one|two|three|four): completion: expected/)
  })
})
