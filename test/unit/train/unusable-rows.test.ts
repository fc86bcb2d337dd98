/** Rows of a GRPO run whose prompt cannot be made: they stop it, or are left out and counted. SFT's and DPO's are with them. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Dataset, fromArray } from '../../../src/data/dataset.js'
import { InputError } from '../../../src/errors.js'
import { mean } from '../../../src/train/grpo/advantages.js'
import { type GRPOConfig, resolveGRPOConfig } from '../../../src/train/grpo/config.js'
import { grpo as grpoAlgorithm } from '../../../src/train/grpo/grpo.js'
import type { Encode } from '../../../src/train/session.js'
import { fakePolicy } from './fake-engine.js'
import {
  args,
  collect,
  firstLetter,
  grpo,
  questions,
  runContext,
  scratch,
  stepMetrics,
  table,
  warnings,
} from './harness.js'

const place = scratch()

/** Says of rows with these ids what the processor says of a missing film. */
const without =
  (...gone: string[]): Encode =>
  async (example, processor) => {
    if (gone.includes(String(example.id))) throw new InputError(`example ${example.id}: film.mp4: file not found`)
    return processor.prompt(example.messages, {})
  }

const first = (count: number): Dataset => fromArray(Array.from({ length: count }, (_, row) => questions.get(row)))

async function run(name: string, config: GRPOConfig, gone: string[] = [], dataset: Dataset = questions) {
  const folder = join(place.dir, name)
  const settings: GRPOConfig = { shuffleDataset: false, maxSteps: 3, onUnusableRow: 'skip', ...config }
  const options = { encode: without(...gone), trainDataset: dataset, evalDataset: dataset }
  const { trainer, policy } = await grpo(folder, settings, options)
  const events = await collect(trainer)
  return { trainer, events, metrics: stepMetrics(events), weights: table(policy) }
}

describe('a row whose prompt cannot be made', () => {
  it('stops the run', async () => {
    await expect(run('run', { onUnusableRow: 'stop' }, ['three'])).rejects.toThrow(
      'example three: film.mp4: file not found',
    )
  })

  it('is left out and counted, and the others are learned from as without it', async () => {
    const some = await run('some', {}, ['four'])
    const others = await run('others', { perDeviceTrainBatchSize: 24 }, [], first(3))
    expect(some.metrics.map(({ skipped_rows }) => skipped_rows)).toEqual([1, 1, 1])
    expect(others.metrics.map(({ skipped_rows }) => skipped_rows)).toEqual([0, 0, 0])
    const said = '1 of 4 rows are left out; the first: example four: film.mp4: file not found'
    expect(warnings(some.events)).toEqual(expect.arrayContaining([said]))
    expect(some.weights).toEqual(others.weights)
    expect(Math.max(...some.weights)).toBeGreaterThan(0.1)
    expect(some.metrics.map(({ reward }) => reward)).toEqual(others.metrics.map(({ reward }) => reward))
  })

  it('makes a step count for less in the means of a log row, by as many completions as it lacks', async () => {
    const config: GRPOConfig = { perDeviceTrainBatchSize: 16, loggingSteps: 2, maxSteps: 2 }
    const { events, metrics } = await run('run', config, ['four'])
    const rows = events.flatMap((event) => (event.type === 'completions' ? event.rows : []))
    // Two groups of 8 in the first step, one in the second.
    expect(rows).toHaveLength(24)
    expect(metrics[0]?.reward).toBeCloseTo(mean(rows.map(({ reward }) => reward ?? Number.NaN)), 10)
    const lengths = rows.map(({ completion }) => (completion.length < 2 ? completion.length + 1 : 2))
    expect(metrics[0]?.['completions/mean_length']).toBeCloseTo(mean(lengths), 10)
  })

  it.each([
    [
      ['c', 'e', 'g'],
      [1, 1, 1, 2],
    ],
    [
      ['a', 'b', 'c', 'd', 'e', 'f'],
      [0, 1, 0, 1],
    ],
  ])('leaves groups that are dealt out evenly: without %s', async (gone, sizes) => {
    const dataset = fromArray([...'abcdefgh'].map((id) => ({ id, messages: [{ role: 'user' as const, content: id }] })))
    const { policy } = await fakePolicy(join(place.dir, 'model'))
    const config: GRPOConfig = { perDeviceTrainBatchSize: 16, stepsPerGeneration: 4, onUnusableRow: 'skip' }
    const algorithm = grpoAlgorithm({
      config: resolveGRPOConfig(args(config)),
      rewards: [firstLetter],
      rewardWeights: [1],
    })
    const encode = (row: number) => without(...gone)(dataset.get(row), policy.processor)
    const { updates } = await algorithm.prepare([...Array(8).keys()], runContext(policy, dataset, { encode }))
    expect(updates.map((units) => units.length)).toEqual(sizes)
  })

  it('leaves the updates of a generation batch equally many, with fewer groups', async () => {
    const config: GRPOConfig = { perDeviceTrainBatchSize: 16, stepsPerGeneration: 2, maxSteps: 4 }
    const { metrics } = await run('run', config, ['two', 'three'])
    expect(metrics).toHaveLength(4)
    // Without groups, an update has no tokens to take the entropy of.
    expect(metrics.every(({ entropy = 0 }) => entropy > 0)).toBe(true)
    expect(metrics.map(({ skipped_rows }) => skipped_rows)).toEqual([2, undefined, 2, undefined])
  })

  it('may be each of a later batch: the weights move on with what AdamW remembers', async () => {
    const config: GRPOConfig = { numGenerations: 32, lrSchedulerType: 'constant' }
    const before = await run('before', { ...config, maxSteps: 3 }, ['four'])
    const after = await run('after', { ...config, maxSteps: 4 }, ['four'])
    expect(after.metrics[3]).toMatchObject({ loss: 0, grad_norm: 0, skipped_rows: 1 })
    expect(after.weights).not.toEqual(before.weights)
  })

  it('may be each of the first batch: nothing changes then', async () => {
    const { metrics, weights } = await run('run', { maxSteps: 2 }, ['one', 'two', 'three', 'four'])
    expect(metrics[0]).toMatchObject({ loss: 0, grad_norm: 0, skipped_rows: 4 })
    expect(metrics[0]).not.toHaveProperty('reward')
    expect(weights.every((weight) => weight === 0)).toBe(true)
  })

  it('gives way to further rows no more than others do where flat groups are refilled', async () => {
    const config: GRPOConfig = { perDeviceTrainBatchSize: 16, dynamicSampling: 'refill', maxSteps: 2 }
    const { metrics } = await run('run', config, ['four'])
    expect(metrics).toHaveLength(2)
    expect(metrics.reduce((sum, { skipped_rows = 0 }) => sum + skipped_rows, 0)).toBeGreaterThan(0)
  })

  it('is left out of evaluations too', async () => {
    const { trainer } = await run('run', { maxSteps: 1 }, ['four'])
    const { trainer: whole } = await run('whole', { maxSteps: 1, perDeviceTrainBatchSize: 24 }, [], first(3))
    const [some, others] = [await trainer.evaluate(), await whole.evaluate()]
    expect(some.eval_skipped_rows).toBe(1)
    expect(some['eval_completions/mean_length']).toBe(others['eval_completions/mean_length'])
  })
})
