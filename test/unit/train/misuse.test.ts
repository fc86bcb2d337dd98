/** Wrong options of a run: each is refused before anything is loaded or sampled, with the rule in the message. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommandLine } from '../../../src/cli/program.js'
import { fromArray } from '../../../src/data/dataset.js'
import { InputError } from '../../../src/errors.js'
import { batched, named } from '../../../src/rewards/reward.js'
import { type GRPOConfig, resolveGRPOConfig } from '../../../src/train/grpo/config.js'
import { grpo as grpoAlgorithm } from '../../../src/train/grpo/grpo.js'
import type { GRPOTrainerOptions } from '../../../src/train/index.js'
import { grpo, scratch } from './harness.js'

const place = scratch()

/** Options that any version of TRL's arithmetic needs, and what is said where they are broken. */
const wrongOptions: readonly (readonly [object, string])[] = [
  [{ numGenerations: 1 }, 'numGenerations: expected an integer >= 2, got 1'],
  [
    { perDeviceTrainBatchSize: 6 },
    'perDeviceTrainBatchSize x gradientAccumulationSteps = 6: expected a multiple of numGenerations 4',
  ],
  [{ generationBatchSize: 12 }, 'generationBatchSize: expected a multiple of perDeviceTrainBatchSize 8, got 12'],
  [{ epsilon: 0 }, 'epsilon: expected a number > 0, got 0'],
  [{ epsilon: -0.2 }, 'epsilon: expected a number > 0, got -0.2'],
  [{ epsilonHigh: 0 }, 'epsilonHigh: expected a number > 0, got 0'],
  [{ delta: 0 }, 'delta: expected a number > 0, got 0'],
  [{ beta: -0.1 }, 'beta: expected a number >= 0, got -0.1'],
  [{ temperature: 0 }, 'temperature: expected a number from 0.001 to 1000000, got 0'],
  [{ maxCompletionLength: 0 }, 'maxCompletionLength: expected an integer >= 1, got 0'],
  [{ topEntropyQuantile: 1.5 }, 'topEntropyQuantile: expected a number from 0 to 1, got 1.5'],
  [{ refModelMixupAlpha: 2 }, 'refModelMixupAlpha: expected a number from 0 to 1, got 2'],
  [{ rewardTimeout: 0 }, 'rewardTimeout: expected a number > 0, got 0'],
  [{ lossType: 'ppo' }, "lossType: expected 'dapo', 'grpo'"],
  [
    { lossType: 'vespo', importanceSamplingCorrection: true },
    "expected importanceSamplingMode 'token_truncate' or 'token_mask', got 'sequence_mask'",
  ],
  [{ learningRat: 1e-6 }, "unknown option 'learningRat'; did you mean learningRate?"],
]
const batchOf8 = { numGenerations: 4, perDeviceTrainBatchSize: 8 }

describe('a trainer', () => {
  const one = named('one', () => 1)
  const rows = (count: number) => fromArray(Array(count).fill({ messages: [{ role: 'user', content: 'a' }] }))
  /** Rejects with what the constructor throws. */
  const make = (args: object, more: Partial<GRPOTrainerOptions> = {}) =>
    grpo(place.dir, { ...batchOf8, maxSteps: 1, ...args } as GRPOConfig, {
      trainDataset: rows(2),
      rewardFuncs: [one],
      ...more,
    })

  it.each(wrongOptions)('refuses %j when it is made', async (args, message) => {
    const error = await make(args).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({ message: expect.stringContaining(message) })
  })

  it.each<[string, Partial<GRPOTrainerOptions>, string]>([
    ['no rewards', { rewardFuncs: [] }, '[rewardFuncs] expected at least one reward function, got none'],
    ['too many weights', { rewardWeights: [1, 2] }, 'expected one weight for each of the 1 rewards, got 2'],
    ['a negative weight', { rewardWeights: [-1] }, 'expected numbers of at least 0, got -1 for one'],
    ['a weight that is no number', { rewardWeights: [Number.NaN] }, 'expected finite numbers, got NaN at 0'],
  ])('refuses %s when it is made', async (_, more, message) => {
    await expect(make({}, more)).rejects.toThrow(message)
  })

  it.each<[string, unknown, string]>([
    ['rewardFuncs', ['accuracy'], 'rewardFuncs: expected functions, such as accuracyReward(); got "accuracy"'],
    ['rewardFuncs', undefined, 'rewardFuncs: expected functions, such as accuracyReward(); got nothing'],
    [
      'trainDataset',
      'rows.jsonl',
      'trainDataset: expected a dataset: jsonl(file), openDataset(path), fromArray(rows); got "rows.jsonl"',
    ],
    ['trainDataset', [{ messages: [] }], 'trainDataset: expected a dataset'],
    ['evalDataset', null, 'evalDataset: expected a dataset'],
    ['model', './Qwen2-VL-2B', 'model: expected what loadModel gives: await loadModel(folder); got "./Qwen2-VL-2B"'],
    ['model', { dir: '.' }, 'got another object'],
    ['reporters', { onEvent() {} }, 'reporters: expected a list; got another object'],
    ['callbacks', () => 'stop', 'callbacks: expected a list'],
  ])('refuses %s that is %j, which untyped code may give', async (name, value, message) => {
    const error = await make({}, { [name]: value }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({
      message: expect.stringContaining(`[trainer] ${message}`.replace('[trainer] got', 'got')),
    })
  })

  it('refuses a dataset that does not fill a batch, before anything is sampled', async () => {
    const { trainer } = await make({}, { trainDataset: rows(1) })
    await expect(trainer.train()).rejects.toThrow(
      '[trainDataset] expected at least 2 rows to fill one batch, got 1; lower the batch size',
    )
  })

  it('refuses a reward that gives too few numbers, with the count', async () => {
    const { trainer, engine } = await make({}, { rewardFuncs: batched('short', async () => [1, 2, 3]) })
    await expect(trainer.train()).rejects.toThrow(
      /\[reward short\] .*expected an array of 8 values, one for each completion, got 3/,
    )
    expect(engine.live).toEqual({ forwards: 0, optimizers: 0 })
  })

  it('cannot be built on beta without a reference', () => {
    const config = resolveGRPOConfig({ ...batchOf8, beta: 0.1 })
    expect(() => grpoAlgorithm({ config, rewards: [one], rewardWeights: [1] })).toThrow(
      '[grpo] beta > 0 needs a reference policy: give one, or beta 0',
    )
  })
})

describe('vsgrpo grpo', () => {
  /** The exit code and the error of a configuration whose model does not exist. */
  async function run(config: object): Promise<{ code: number; said: string }> {
    const row = { messages: [{ role: 'user', content: 'a' }], answer: '1' }
    writeFileSync(join(place.dir, 'rows.jsonl'), `${JSON.stringify(row)}\n`.repeat(4))
    const whole = {
      model: './nowhere',
      trainDataset: 'rows.jsonl',
      rewardFuncs: ['accuracy'],
      args: batchOf8,
      ...config,
    }
    writeFileSync(join(place.dir, 'run.yaml'), JSON.stringify(whole, null, 1))
    const said: string[] = []
    const io = { out: () => {}, err: (text: string) => void said.push(text) }
    return { code: await runCommandLine(['grpo', join(place.dir, 'run.yaml')], io), said: said.join('') }
  }

  it('says that the model does not exist when all else is well', async () => {
    const { code, said } = await run({})
    expect(code).toBe(2)
    expect(said).toMatch('nowhere')
  })

  it.each(wrongOptions)('refuses %j before it looks for the model, and writes nothing', async (args, message) => {
    const { code, said } = await run({ args: { ...batchOf8, ...args } })
    expect(code).toBe(2)
    // The file's checker tells unknown names in words of its own.
    expect(said).toMatch(message.replace(/^unknown option .*/, 'there is no such option; did you mean learningRate?'))
    expect(said).not.toMatch('nowhere')
    expect(readdirSync(place.dir).sort()).toEqual(['rows.jsonl', 'run.yaml'])
  })

  it.each([
    ['weights of another number', { rewardWeights: [1, 2] }, 'expected one number per reward (1), got [1,2]'],
    ['an unknown reward', { rewardFuncs: ['acuracy'] }, 'acuracy'],
    ['no dataset', { trainDataset: null }, 'trainDataset is missing'],
    ['a dataset that is not there', { trainDataset: 'none.jsonl' }, 'none.jsonl'],
  ])('refuses %s before it looks for the model', async (_, config, message) => {
    const { code, said } = await run(config)
    expect(code).toBe(2)
    expect(said).toMatch(message)
    expect(said).not.toMatch('nowhere')
  })
})
