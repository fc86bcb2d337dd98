/** Options, batches and whole runs of DPO, on the fake engine. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Dataset, fromArray } from '../../../../src/data/dataset.js'
import type { Policy } from '../../../../src/policy.js'
import { type DPOConfig, dpoOptions, resolveDPOConfig } from '../../../../src/train/dpo/config.js'
import { DPOTrainer, type DPOTrainerOptions } from '../../../../src/train/index.js'
import type { Example, Metrics } from '../../../../src/types.js'
import { FakeModel, fakePolicy } from '../fake-engine.js'
import { collect, scratch, stepMetrics, warnings } from '../harness.js'

const place = scratch()
const ask = (content: string, columns: Record<string, unknown>): Example => ({
  id: content,
  messages: [{ role: 'user', content }],
  ...columns,
})

const preferences = fromArray([
  ask('red a', { chosen: 'xy', rejected: 'z' }),
  ask('red b', { chosen: [{ role: 'assistant', content: 'y' }], rejected: [{ role: 'assistant', content: 'xz' }] }),
  ask('red c', { chosen: { role: 'assistant', content: [{ type: 'text', text: 'zzz' }] }, rejected: 'q' }),
  ask('red d', { chosen: 'x', rejected: 'yyyy' }),
])

async function dpo(name: string, args: DPOConfig, more: Partial<DPOTrainerOptions> = {}) {
  const { policy, engine } = await fakePolicy(join(place.dir, name, 'model'))
  const base: DPOConfig = {
    learningRate: 0.1,
    beta: 0.5,
    maxSteps: 4,
    perDeviceTrainBatchSize: 4,
    lrSchedulerType: 'constant',
  }
  const options = { model: policy, trainDataset: preferences, args: { ...base, ...args }, ...more }
  return { trainer: new DPOTrainer(options), policy, engine }
}

function tableOf(policy: Policy): Float64Array {
  if (!(policy.native instanceof FakeModel)) throw new Error('not a fake model')
  return policy.native.table
}

/** The weights after a run. */
async function trained(name: string, args: DPOConfig, more: Partial<DPOTrainerOptions> = {}): Promise<Float64Array> {
  const { trainer, policy } = await dpo(name, args, more)
  await trainer.train()
  return tableOf(policy)
}

function gap(a: Float64Array, b: Float64Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))
}

describe('the options', () => {
  it("have TRL's names and defaults", () => {
    expect(resolveDPOConfig({})).toMatchObject({
      beta: 0.1,
      learningRate: 1e-6,
      lossType: ['sigmoid'],
      labelSmoothing: 0,
      fDivergenceType: 'reverse_kl',
      fAlphaDivergenceCoef: 0.5,
      discopopTau: 0.05,
      maxLength: 1024,
      useWeighting: false,
      precomputeRefLogProbs: false,
      refModelMixupAlpha: 0.6,
      refModelSyncSteps: 512,
    })
    expect(resolveDPOConfig({ loss_type: 'ipo', max_length: null })).toMatchObject({ lossType: ['ipo'], maxLength: 0 })
  })

  it('make the loss', () => {
    const config = resolveDPOConfig({ lossType: ['sigmoid', 'sft'], lossWeights: [1, 0.2], ldAlpha: 0.5 })
    expect(dpoOptions(config)).toMatchObject({
      losses: [
        { type: 'sigmoid', weight: 1 },
        { type: 'sft', weight: 0.2 },
      ],
      ldAlpha: 0.5,
    })
  })

  it.each<[Record<string, unknown>, string]>([
    [{ lossType: 'sigmod' }, '[args] lossType: expected one or several of sigmoid, hinge'],
    [{ lossType: ['sigmoid', 'sft'], lossWeights: [1] }, 'lossWeights: expected one for each of 2 lossType, got 1'],
    [{ lossType: 'exo_pair' }, "labelSmoothing: lossType 'exo_pair' needs it above 0, got 0; its paper has 1e-3"],
    [{ lossType: 'robust', labelSmoothing: 0.5 }, "labelSmoothing: lossType 'robust' needs it below 0.5, got 0.5"],
    [{ lossType: 'aot', fDivergenceType: 'forward_kl' }, "fDivergenceType: 'forward_kl' is for lossType sigmoid,"],
    [{ lossType: 'aot', useWeighting: true }, "useWeighting: lossType 'aot' has no weights of pairs"],
    [{ lossType: ['sigmoid', 'sft'], useWeighting: true }, "useWeighting: lossType 'sft' has no weights of pairs"],
    [{ syncRefModel: true, precomputeRefLogProbs: true }, 'syncRefModel: moves the reference, which'],
    [{ ldAlpha: 2 }, 'ldAlpha: expected a number from 0 to 1, got 2'],
    [{ betta: 1 }, "unknown option 'betta'; did you mean beta?"],
  ])('refuse %j', (given, message) => {
    expect(() => resolveDPOConfig(given)).toThrow(message)
  })

  it('refuse to move a reference that is the base under adapters', async () => {
    const { policy } = await fakePolicy(join(place.dir, 'model'), {
      lora: { r: 1, alpha: 1, targetModules: [], seed: 0 },
    })
    const options = { model: policy, trainDataset: preferences, args: { syncRefModel: true } }
    expect(() => new DPOTrainer(options)).toThrow('[args] syncRefModel: expected a model without lora')
  })
})

describe('a run', () => {
  it('makes chosen answers likelier than rejected ones, and evaluates that', async () => {
    const { trainer, engine } = await dpo('run', { maxSteps: 40, evalSteps: 40 }, { evalDataset: preferences })
    const events = await collect(trainer)
    const metrics = stepMetrics(events)
    expect(metrics[0]?.loss).toBeCloseTo(Math.LN2, 6)
    expect(metrics[0]?.['rewards/accuracies']).toBe(0)
    expect(metrics.at(-1)?.['rewards/accuracies']).toBe(1)
    expect(metrics.at(-1)?.['rewards/margins']).toBeGreaterThan(1)
    expect(Object.keys(metrics[0] ?? {})).toEqual(
      expect.arrayContaining([
        'rewards/chosen',
        'rewards/rejected',
        'logps/chosen',
        'logps/rejected',
        'logits/chosen',
        'logits/rejected',
        'entropy',
        'num_tokens',
      ]),
    )
    // Four prompts of 5 tokens for two answers each, and the answers with their ends.
    expect(metrics[0]?.num_tokens).toBe(2 * 4 * 5 + (3 + 2 + 4 + 2) + (2 + 3 + 2 + 5))
    const [evaluation] = events.flatMap((event) => (event.type === 'eval' ? [event.metrics] : []))
    expect(evaluation?.['eval_rewards/accuracies']).toBe(1)
    expect(evaluation?.eval_loss).toBeLessThan(0.5)
    expect(engine.models.filter(({ disposed }) => !disposed)).toHaveLength(1)
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
    expect((await trainer.evaluate())['eval_rewards/accuracies']).toBe(1)
    expect(engine.models.filter(({ disposed }) => !disposed)).toHaveLength(1)
  })

  it.each<[string, DPOConfig]>([
    ['sigmoid', {}],
    ['sft', { lossType: 'sft' }],
    ['sigmoid and sft', { lossType: ['sigmoid', 'sft'], lossWeights: [1, 0.3] }],
    ['aot', { lossType: 'aot' }],
    ['aot_unpaired', { lossType: 'aot_unpaired' }],
    ['WPO', { useWeighting: true }],
  ])('evaluates a dataset as a whole, whatever the size of its batches: %s', async (_, args) => {
    const { trainer, policy } = await dpo('run', { maxSteps: 3 })
    await trainer.train()
    const evaluations: Metrics[] = []
    for (const perDeviceEvalBatchSize of [4, 3, 2, 1]) {
      const options = { model: policy, trainDataset: preferences, evalDataset: preferences }
      evaluations.push(await new DPOTrainer({ ...options, args: { ...args, perDeviceEvalBatchSize } }).evaluate())
    }
    const [whole = {}, ...parts] = evaluations
    expect(whole.eval_loss).toBeGreaterThan(0)
    for (const part of parts) {
      expect(Object.keys(part)).toEqual(Object.keys(whole))
      for (const [name, value] of Object.entries(whole)) expect(part[name], name).toBeCloseTo(value, 6)
    }
  })

  it('computes a prompt once for both answers', async () => {
    const { trainer, engine } = await dpo('run', { maxSteps: 1 })
    const rows: number[] = []
    engine.onForward = ({ ids }) => rows.push(ids.length)
    await trainer.train()
    // The reference's pass and the policy's: four prompts of 5, and the answers but their last tokens.
    expect(rows).toEqual([20 + 15, 20 + 15])
  })

  it.each<[string, DPOConfig]>([
    ['sigmoid', {}],
    [
      'aot_unpaired and sft',
      { lossType: ['aot_unpaired', 'sft'], perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2 },
    ],
    ['aot', { lossType: 'aot' }],
    ['WPO and LD-DPO', { useWeighting: true, ldAlpha: 0.5 }],
  ])('has the same weights whatever the micro-batch: %s', async (name, args) => {
    const [whole, parts] = [await trained('whole', args), await trained('parts', { ...args, tokensPerMicroBatch: 1 })]
    expect(gap(whole, parts), name).toBeLessThan(1e-6)
    expect(Math.max(...whole)).toBeGreaterThan(0.1)
  })

  it('has the same weights whatever the accumulation, where pairs are not compared', async () => {
    const whole = await trained('whole', {})
    const halves = await trained('halves', { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2 })
    expect(gap(whole, halves)).toBeLessThan(1e-6)
  })

  it('has the same weights with precomputed scores, and holds no reference then', async () => {
    const run = await dpo('precomputed', { precomputeRefLogProbs: true, evalSteps: 2 }, { evalDataset: preferences })
    const models: number[] = []
    for await (const event of run.trainer) {
      if (event.type === 'step') models.push(run.engine.models.filter(({ disposed }) => !disposed).length)
    }
    expect(models).toEqual([1, 1, 1, 1])
    // The policy, and one reference for both datasets.
    expect(run.engine.models).toHaveLength(2)
    expect(gap(await trained('scored', {}), tableOf(run.policy))).toBe(0)
  })

  it.each([1, 2, 3, 4])('that stops after step %i goes on bit for bit', async (stop) => {
    const args: DPOConfig = {
      maxSteps: 5,
      perDeviceTrainBatchSize: 3,
      syncRefModel: true,
      refModelSyncSteps: 2,
      saveSteps: 1,
    }
    const whole = await trained('whole', args)
    const outputDir = join(place.dir, 'part')
    const callbacks = [
      (event: { type: string; step?: number }) => (event.type === 'step' && event.step === stop ? 'stop' : undefined),
    ]
    await trained('first', { ...args, outputDir }, { callbacks })
    const { trainer, policy } = await dpo('second', { ...args, outputDir })
    expect(await trainer.train({ resumeFromCheckpoint: true })).toMatchObject({ reason: 'finished', steps: 5 })
    expect(gap(whole, tableOf(policy))).toBe(0)
  })

  it('sorts the pairs of a slice, not of the step', async () => {
    const args: DPOConfig = { lossType: 'aot_unpaired', shuffleDataset: false }
    const whole = await trained('whole', args)
    const halves = await trained('halves', { ...args, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2 })
    expect(gap(whole, halves)).toBeGreaterThan(1e-6)
  })
})

describe('rows that cannot be learned from', () => {
  const good = ask('red a', { chosen: 'xy', rejected: 'z' })
  const bad: [string, Example, string][] = [
    [
      'equal answers',
      ask('red b', { chosen: 'y', rejected: 'y' }),
      'example red b: chosen, rejected: expected two different answers, got equal ones',
    ],
    [
      'answers that are equal as far as they fit',
      ask('red b', { chosen: 'xxxxy', rejected: 'xxxxz' }),
      'got equal ones within maxLength',
    ],
    [
      'an empty answer',
      ask('red b', { chosen: 'y', rejected: ' ' }),
      'example red b: rejected: expected the answer to learn, got an empty text',
    ],
    ['no answer', ask('red b', { rejected: 'y' }), 'example red b: chosen: expected the answer to learn, got nothing'],
    [
      'an answer of another kind',
      ask('red b', { chosen: 3, rejected: 'y' }),
      'example red b: chosen: expected the answer to learn, got 3',
    ],
    [
      'an answer with a picture',
      ask('red b', { chosen: { role: 'assistant', content: [{ type: 'image', image: 'a.png' }] }, rejected: 'y' }),
      'chosen: expected the answer to learn, got [{"type":"image","image":"a.png"}]',
    ],
    [
      'a prompt over the limit',
      ask('a very long prompt', { chosen: 'y', rejected: 'x' }),
      'example a very long prompt: the prompt has 18 tokens, maxLength 9 leaves no room for an answer; raise maxLength',
    ],
  ]
  const set = (row: Example): Dataset => fromArray([good, row])

  it.each(bad)('stop the run: %s', async (_, row, message) => {
    const { trainer } = await dpo('run', { maxLength: 9, perDeviceTrainBatchSize: 2 }, { trainDataset: set(row) })
    await expect(trainer.train()).rejects.toThrow(message)
  })

  it.each(bad)('are left out and counted: %s', async (_, row, message) => {
    const args: DPOConfig = { maxLength: 9, perDeviceTrainBatchSize: 2, onUnusableRow: 'skip', maxSteps: 2 }
    const { trainer, policy } = await dpo('run', args, { trainDataset: set(row) })
    const events = await collect(trainer)
    expect(stepMetrics(events).map((metrics) => metrics.skipped_rows)).toEqual([1, 1])
    expect(warnings(events)[0]).toContain('1 of 2 rows are left out; the first: ')
    expect(warnings(events)[0]).toContain(message)
    expect(gap(tableOf(policy), await trained('alone', args, { trainDataset: fromArray([good]) }))).toBe(0)
  })

  it('are left out of evaluations too', async () => {
    const evalDataset = set(ask('red b', { chosen: 'y', rejected: 'y' }))
    const { trainer } = await dpo('run', { onUnusableRow: 'skip' }, { evalDataset })
    expect(await trainer.evaluate()).toMatchObject({ eval_skipped_rows: 1, 'eval_rewards/margins': 0 })
  })

  it('do not hide mistakes of the code that encodes', async () => {
    const encode = () => Promise.reject(new TypeError('no such thing'))
    const { trainer } = await dpo('run', { onUnusableRow: 'skip' }, { encode })
    await expect(trainer.train()).rejects.toThrow('no such thing')
  })

  it('may be a whole batch: nothing changes then', async () => {
    const args: DPOConfig = { onUnusableRow: 'skip', maxSteps: 1 }
    const { trainer, policy } = await dpo('run', args, {
      trainDataset: fromArray([ask('red b', { chosen: 'y', rejected: 'y' })]),
    })
    const [metrics] = stepMetrics(await collect(trainer))
    expect(metrics).toMatchObject({ loss: 0, grad_norm: 0, skipped_rows: 1 })
    expect(Math.max(...tableOf(policy))).toBe(0)
  })
})
