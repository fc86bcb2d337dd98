/** What a run saves and goes on from, on the fake engine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { named } from '../../../src/rewards/reward.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { GRPOTrainer, type GRPOTrainerOptions } from '../../../src/train/index.js'
import { FakeModel, fakePolicy } from './fake-engine.js'
import {
  args,
  collect,
  computed,
  firstLetter,
  grpo as makeGrpo,
  questions,
  scratch,
  table,
  warnings,
} from './harness.js'

const place = scratch()

function grpo(folder: string, config: GRPOConfig, more: Partial<GRPOTrainerOptions> = {}) {
  return makeGrpo(join(place.dir, folder), config, more)
}

describe('checkpoints of a run', () => {
  it.each([
    ['between batches', { saveSteps: 4 }],
    ['between two updates on the same completions', { saveSteps: 3, numIterations: 2, beta: 0.1 }],
    ['between slices of a generation batch', { saveSteps: 3, perDeviceTrainBatchSize: 16, stepsPerGeneration: 2 }],
  ] satisfies [string, GRPOConfig][])('go on bit for bit %s', async (_, config) => {
    const whole = await grpo('whole', { ...config, maxSteps: 10, outputDir: join(place.dir, 'whole-run') })
    const wholeEvents = await collect(whole.trainer)
    const part = await grpo('part', { ...config, maxSteps: 10, outputDir: join(place.dir, 'part-run') })
    for await (const event of part.trainer) if (event.type === 'checkpoint') break
    const rest = await grpo('part', { ...config, maxSteps: 10, outputDir: join(place.dir, 'part-run') })
    const restEvents = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))

    expect(table(rest.policy)).toEqual(table(whole.policy))
    expect(computed(restEvents)).toEqual(computed(wholeEvents).slice(config.saveSteps))
    const [start] = restEvents
    expect(start).toMatchObject({ type: 'start', step: config.saveSteps })
  })

  it('are model folders with the tokenizer, the trainer and the optimizer, as many as saveTotalLimit', async () => {
    const { trainer } = await grpo('run', {
      maxSteps: 6,
      saveSteps: 2,
      saveTotalLimit: 2,
      outputDir: join(place.dir, 'out'),
    })
    await trainer.train()
    expect(readdirSync(join(place.dir, 'out', 'checkpoints')).sort()).toEqual(['step-4', 'step-6'])
    expect(readdirSync(join(place.dir, 'out', 'checkpoints', 'step-6')).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'optimizer.safetensors',
      'tokenizer.json',
      'trainer.json',
    ])
    expect(existsSync(join(place.dir, 'out', 'metrics.jsonl'))).toBe(true)
  })

  it('are written when the run is interrupted, without the step that was cut off', async () => {
    const whole = await grpo('whole', { maxSteps: 6, tokensPerMicroBatch: 1 })
    await whole.trainer.train()

    const control = new AbortController()
    const outputDir = join(place.dir, 'out')
    const part = await grpo('part', { maxSteps: 6, tokensPerMicroBatch: 1, outputDir }, { signal: control.signal })
    let passes = 0
    part.engine.onForward = () => {
      // The tenth pass lies inside the third step, which has four micro-batches.
      if (++passes === 10) control.abort()
    }
    expect(await part.trainer.train()).toMatchObject({ reason: 'aborted', steps: 2 })
    expect(part.engine.live).toEqual({ forwards: 0, optimizers: 0 })
    expect(readdirSync(join(outputDir, 'checkpoints'))).toEqual(['step-2'])
    if (!(part.policy.native instanceof FakeModel)) throw new Error('not a fake model')
    expect(Math.max(...part.policy.native.gradient.map(Math.abs))).toBe(0)

    const rest = await grpo('part', { maxSteps: 6, tokensPerMicroBatch: 1, outputDir })
    await rest.trainer.train({ resumeFromCheckpoint: true })
    expect(table(rest.policy)).toEqual(table(whole.policy))
  })

  it('are written when the run is interrupted while it samples', async () => {
    const control = new AbortController()
    const outputDir = join(place.dir, 'out')
    const { trainer } = await grpo('run', { outputDir }, { signal: control.signal })
    for await (const event of trainer) if (event.type === 'step') setImmediate(() => control.abort())
    expect(readdirSync(join(outputDir, 'checkpoints'))).toEqual(['step-1'])
  })

  it('hold the adapter alone under LoRA, and go on from it', async () => {
    const lora = { r: 2, alpha: 4, targetModules: ['q_proj'], seed: 0 }
    const outputDir = join(place.dir, 'out')
    const { policy } = await fakePolicy(join(place.dir, 'model'), { lora })
    const options = { trainDataset: questions, rewardFuncs: firstLetter, args: args({ outputDir, maxSteps: 2 }) }
    await new GRPOTrainer({ model: policy, ...options }).train()
    const checkpoint = join(outputDir, 'checkpoints', 'step-2')
    expect(readdirSync(checkpoint).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'optimizer.safetensors',
      'tokenizer.json',
      'trainer.json',
    ])
    expect(JSON.parse(readFileSync(join(checkpoint, 'adapter_config.json'), 'utf8'))).toMatchObject({
      r: 2,
      lora_alpha: 4,
    })
    const again = await fakePolicy(join(place.dir, 'model'), { lora })
    await new GRPOTrainer({ model: again.policy, ...options }).train({ resumeFromCheckpoint: checkpoint })
    expect(table(again.policy)).toEqual(table(policy))
  })

  it('say which options are not what they were', async () => {
    const outputDir = join(place.dir, 'out')
    await (await grpo('run', { outputDir, maxSteps: 1 })).trainer.train()
    const other = named('other', firstLetter)
    const again = await grpo('run', { outputDir, maxSteps: 2, beta: 0.1, saveSteps: 7 }, { rewardFuncs: [other] })
    const events = await collect(again.trainer.events({ resumeFromCheckpoint: true }))
    expect(warnings(events)).toEqual([
      'rewardFuncs was ["first"] in the checkpoint and is ["other"] now',
      'maxSteps was 1 in the checkpoint and is 2 now',
      'beta was 0 in the checkpoint and is 0.1 now',
    ])
  })

  it('say what an option was that has names and values', async () => {
    const outputDir = join(place.dir, 'out')
    const config: GRPOConfig = { outputDir, lrSchedulerType: 'cosine_with_restarts', maxSteps: 2 }
    await (await grpo('run', { ...config, maxSteps: 1, lrSchedulerKwargs: { numCycles: 2 } })).trainer.train()
    const again = await grpo('run', { ...config, maxSteps: 1, lrSchedulerKwargs: { numCycles: 3 } })
    expect(warnings(await collect(again.trainer.events({ resumeFromCheckpoint: true })))).toEqual([
      'lrSchedulerKwargs was {"numCycles":2} in the checkpoint and is {"numCycles":3} now',
    ])
  })

  it('are refused with another dataset, and asked for where there are none', async () => {
    const outputDir = join(place.dir, 'out')
    const first = await grpo('run', { outputDir, maxSteps: 1 })
    await expect(first.trainer.train({ resumeFromCheckpoint: true })).rejects.toThrow('no checkpoint to go on from')
    await first.trainer.train()
    const rows = fromArray([...Array(8)].map(() => questions.get(0)))
    const second = await grpo('run', { outputDir, maxSteps: 2 }, { trainDataset: rows })
    await expect(second.trainer.train({ resumeFromCheckpoint: true })).rejects.toThrow(
      'trained on 4 rows, the dataset has 8',
    )
  })
})
