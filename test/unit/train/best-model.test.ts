/** The best evaluation: its checkpoint outlives the others, and its weights come back at the end. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { named } from '../../../src/rewards/reward.js'
import type { TrainEvent } from '../../../src/train/events.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { type GRPOTrainerOptions, SFTTrainer } from '../../../src/train/index.js'
import { fakePolicy } from './fake-engine.js'
import { collect, firstLetter, grpo, scratch, table } from './harness.js'

const place = scratch()
const held = fromArray([{ id: 'held', messages: [{ role: 'user', content: 'red e' }], answer: 'x' }])

/** Training learns as ever; the n-th evaluation, one answer each, finds the n-th score. */
function scored(scores: readonly number[]) {
  let evaluations = 0
  return named('score', (input) => {
    return input.example.id === 'held' ? (scores[evaluations++] ?? 0) : firstLetter(input)
  })
}

function start(scores: readonly number[], config: GRPOConfig = {}, more: Partial<GRPOTrainerOptions> = {}) {
  const outputDir = join(place.dir, 'run')
  const base: GRPOConfig = { maxSteps: 8, evalSteps: 2, saveSteps: 2, metricForBestModel: 'eval_reward', outputDir }
  const data = { evalDataset: held, rewardFuncs: [scored(scores)], ...more }
  return grpo(place.dir, { ...base, lrSchedulerType: 'constant', ...config }, data)
}

const checkpoints = () => readdirSync(join(place.dir, 'run', 'checkpoints')).sort()
const weightsOf = (step: number): unknown =>
  JSON.parse(readFileSync(join(place.dir, 'run', 'checkpoints', `step-${step}`, 'model.safetensors'), 'utf8'))

describe('metricForBestModel', () => {
  it('keeps the best checkpoint beside the newest', async () => {
    const { trainer } = await start([0, 3, 2, 1], { saveTotalLimit: 1 })
    await trainer.train()
    expect(checkpoints()).toEqual(['step-4', 'step-8'])
  })

  it('lets an older best go when a better one comes', async () => {
    const { trainer } = await start([3, 2, 4, 1], { saveTotalLimit: 1 })
    await trainer.train()
    expect(checkpoints()).toEqual(['step-6', 'step-8'])
  })

  it.each([
    ['reward', undefined, 4],
    ['eval_reward', false, 2],
    ['eval_rewards/score/mean', true, 4],
  ] as const)('%s with greaterIsBetter %s finds step %i', async (metricForBestModel, greaterIsBetter, best) => {
    const { trainer } = await start([1, 3, 2, 3], { metricForBestModel, greaterIsBetter, saveTotalLimit: 1 })
    await trainer.train()
    expect(checkpoints()).toEqual([`step-${best}`, 'step-8'])
  })

  it('may be a reward that applies to no row of some evaluations: those are not the best', async () => {
    let evaluations = 0
    const sometimes = named('score', (input) =>
      input.example.id === 'held' ? ([null, 3, null, 2][evaluations++] ?? null) : firstLetter(input),
    )
    const more = { rewardFuncs: [sometimes] }
    const { trainer } = await start([], { metricForBestModel: 'rewards/score/mean', saveTotalLimit: 1 }, more)
    await trainer.train()
    expect(checkpoints()).toEqual(['step-4', 'step-8'])
  })

  it('saves the best of evaluations that fall between two checkpoints', async () => {
    const { trainer } = await start([1, 3, 2, 0], { saveSteps: 100 })
    await trainer.train()
    expect(checkpoints()).toEqual(['step-2', 'step-4', 'step-8'])
  })

  it('does not count the evaluation before the first step, as transformers does not', async () => {
    const { trainer } = await start([9, 1, 4, 3, 2], { evalOnStart: true, saveTotalLimit: 1 })
    await trainer.train()
    expect(checkpoints()).toEqual(['step-4', 'step-8'])
  })

  it('counts the evaluation after the last step, where evalSteps do not end there', async () => {
    const { trainer } = await start([1, 2, 3, 4], { maxSteps: 7, saveTotalLimit: 1 })
    const events = await collect(trainer)
    expect(events.flatMap((event) => (event.type === 'eval' ? [event.step] : []))).toEqual([2, 4, 6, 7])
    expect(checkpoints()).toEqual(['step-7'])
  })
})

describe('loadBestModelAtEnd', () => {
  it('puts the weights of the best checkpoint back', async () => {
    const { trainer, policy } = await start([0, 3, 2, 1], { loadBestModelAtEnd: true, saveTotalLimit: 1 })
    await trainer.train()
    expect([...table(policy)]).toEqual(weightsOf(4))
    expect(weightsOf(8)).not.toEqual(weightsOf(4))
  })

  it('does so after a callback stopped the run, and not after an interruption', async () => {
    const config: GRPOConfig = { loadBestModelAtEnd: true }
    const callbacks = [(event: TrainEvent) => (event.type === 'eval' && event.step === 4 ? 'stop' : undefined)]
    const stopped = await start([3, 2], config, { callbacks })
    expect(await stopped.trainer.train()).toMatchObject({ reason: 'stopped', steps: 4 })
    expect([...table(stopped.policy)]).toEqual(weightsOf(2))

    const control = new AbortController()
    const interrupted = await start([3, 2], config, { signal: control.signal })
    for await (const event of interrupted.trainer) if (event.type === 'eval' && event.step === 4) control.abort()
    expect([...table(interrupted.policy)]).toEqual(weightsOf(4))
  })

  it('is the same where an evaluation was interrupted: the run makes it first when it goes on', async () => {
    const config: GRPOConfig = { loadBestModelAtEnd: true }
    const whole = await start([1, 3, 2, 0], config)
    await whole.trainer.train()
    const best = weightsOf(4)
    expect([...table(whole.policy)]).toEqual(best)
    rmSync(join(place.dir, 'run'), { recursive: true })

    const control = new AbortController()
    let evaluations = 0
    const interrupting = named('score', (input) => {
      if (input.example.id !== 'held') return firstLetter(input)
      if (++evaluations < 2) return 1
      control.abort()
      throw control.signal.reason
    })
    const part = await start([], config, { rewardFuncs: [interrupting], signal: control.signal })
    expect(await part.trainer.train()).toMatchObject({ reason: 'aborted', steps: 4 })
    const rest = await start([3, 2, 0], config)
    const events = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(events.flatMap((event) => (event.type === 'eval' ? [event.step] : []))).toEqual([4, 6, 8])
    expect([...table(rest.policy)]).toEqual(best)
  })

  it('remembers the best across a resume', async () => {
    const part = await start([5, 1], { loadBestModelAtEnd: true, saveTotalLimit: 1 })
    for await (const event of part.trainer) if (event.type === 'checkpoint' && event.step === 4) break
    expect(checkpoints()).toEqual(['step-2', 'step-4'])
    const rest = await start([4, 3], { loadBestModelAtEnd: true, saveTotalLimit: 1 })
    const [first] = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(first).toMatchObject({ type: 'start', step: 4 })
    expect(checkpoints()).toEqual(['step-2', 'step-8'])
    expect([...table(rest.policy)]).toEqual(weightsOf(2))
  })
})

describe('asking for the best checkpoint', () => {
  const needs = 'metricForBestModel: needs evalDataset, evalSteps, outputDir and saveStrategy'

  it.each([
    ['evalSteps', { evalSteps: null }],
    ['outputDir', { outputDir: null }],
    ['checkpoints', { saveStrategy: 'no' }],
  ])('is refused without %s, before anything runs', async (_, config) => {
    await expect(start([], config as GRPOConfig)).rejects.toThrow(needs)
    expect(existsSync(join(place.dir, 'run'))).toBe(false)
  })

  it('is refused without an evaluation dataset, and loading it without a metric', async () => {
    const config = { metricForBestModel: 'reward', evalSteps: 1, outputDir: place.dir }
    await expect(grpo(place.dir, config, { evalDataset: undefined })).rejects.toThrow(needs)
    const message = "loadBestModelAtEnd: needs metricForBestModel, for example 'eval_reward'"
    await expect(grpo(place.dir, { loadBestModelAtEnd: true })).rejects.toThrow(message)
    const { policy } = await fakePolicy(join(place.dir, 'sft'))
    const sft = () => new SFTTrainer({ model: policy, trainDataset: held, args: { loadBestModelAtEnd: true } })
    expect(sft).toThrow(message)
  })

  it('names the nearest metric when there is none of the name', async () => {
    const { trainer } = await start([1], { metricForBestModel: 'rewrd' })
    await expect(trainer.train()).rejects.toThrow(/got rewrd; did you mean eval_reward\?/)
  })
})
