/** Supervised fine-tuning: what it learns of a row, TRL's numbers, and whole runs on the fake engine. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../../src/data/dataset.js'
import { dftLoss, sftLoss } from '../../../../src/losses/sft.js'
import { SFTTrainer, type SFTTrainerOptions } from '../../../../src/train/index.js'
import { resolveSFTConfig, type SFTConfig } from '../../../../src/train/sft/config.js'
import { bestFitDecreasing } from '../../../../src/train/sft/packing.js'
import { encodeCompletion } from '../../../../src/train/sft/sft.js'
import { FakeModel, fakePolicy, processor } from '../fake-engine.js'
import { collect, scratch, stepMetrics, warnings } from '../harness.js'

describe('encodeCompletion', () => {
  const rows = fromArray([{ messages: [{ role: 'user', content: 'a' }], completion: 'xy' }])

  it('ends with the first end token, so that the model learns to stop', () => {
    const two = { ...processor, eosIds: Int32Array.of(5, 0) }
    expect([...encodeCompletion(rows, 0, two)]).toEqual([...processor.encode('xy'), 5])
  })

  it('is the text alone for a model without end tokens', () => {
    const none = { ...processor, eosIds: new Int32Array() }
    expect(encodeCompletion(rows, 0, none)).toEqual(processor.encode('xy'))
  })

  it('ends with what the template writes after a turn where that is wanted', () => {
    const end = [0, ...processor.encode('\n')]
    expect([...encodeCompletion(rows, 0, processor, 'turn')]).toEqual([...processor.encode('xy'), ...end])
  })
})

interface Case {
  readonly batch: string
  readonly options: {
    readonly loss_type: string
    readonly completion_only_loss: boolean
    readonly other_targets: number
  }
  readonly loss: number
  readonly dlogps: readonly number[]
  readonly metrics: Readonly<Record<string, number>>
}

/** Rows of tokens, flat; every token but a row's first has values. */
interface Batch {
  readonly prompt_lengths: readonly number[]
  readonly lengths: readonly number[]
  readonly logps: readonly number[]
  readonly entropies: readonly number[]
  readonly correct: readonly number[]
}

const fixture = new URL('../../../parity/fixtures/trl-sft/losses.json', import.meta.url)
const grid: { versions: Record<string, string>; batches: Record<string, Batch>; cases: Case[] } = JSON.parse(
  readFileSync(fixture, 'utf8'),
)

/** The values of the tokens that are learned. */
function learned(
  { prompt_lengths: prompts, lengths }: Batch,
  values: readonly number[],
  onlyCompletion: boolean,
): number[] {
  const isIn = lengths.flatMap((length, row) =>
    Array.from({ length: length - 1 }, (_, t) => !onlyCompletion || t + 1 >= (prompts[row] ?? 0)),
  )
  return values.filter((_, k) => isIn[k])
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

describe("TRL's numbers", () => {
  it('are of the TRL that we name', () => {
    expect(grid.versions.trl).toBe('1.13.0')
    expect(grid.cases).toHaveLength(36)
  })

  it.each(grid.cases.map((one) => ({ ...one, name: `${one.batch} ${JSON.stringify(one.options)}` })))(
    'are ours: $name',
    ({ batch: name, options, loss, dlogps, metrics }) => {
      const batch = grid.batches[name]
      if (!batch) throw new Error(`the grid has no batch ${name}`)
      const pick = (values: readonly number[]) => learned(batch, values, options.completion_only_loss)
      const logps = Float32Array.from(pick(batch.logps))
      const weights = new Float32Array(logps.length).fill(1 / (logps.length + options.other_targets))
      const got = options.loss_type === 'dft' ? dftLoss({ logps, weights }) : sftLoss({ logps, weights })
      expect(Math.abs(got.loss - loss)).toBeLessThanOrEqual(1e-5 * Math.abs(loss))
      expect(got.dlogps.length).toBe(dlogps.length)
      for (const [k, slope] of dlogps.entries()) {
        expect(Math.abs((got.dlogps[k] ?? Number.NaN) - slope)).toBeLessThanOrEqual(1e-5 * Math.abs(slope) + 1e-8)
      }
      expect(mean(pick(batch.entropies))).toBeCloseTo(metrics.entropy ?? Number.NaN, 5)
      expect(mean(pick(batch.correct))).toBeCloseTo(metrics.mean_token_accuracy ?? Number.NaN, 5)
      expect(batch.lengths.reduce((sum, length) => sum + length, 0)).toBe(metrics.num_tokens)
    },
  )
})

const place = scratch()
const lessons = fromArray(
  [
    ['red a', 'xy'],
    ['red bb', 'z'],
    ['c', 'yyyz'],
    ['red d', 'x'],
  ].map(([content = '', completion]) => ({ id: content, messages: [{ role: 'user', content }], completion })),
)

async function sft(name: string, args: SFTConfig, more: Partial<SFTTrainerOptions> = {}) {
  const { policy, engine } = await fakePolicy(join(place.dir, name, 'model'))
  const base: SFTConfig = { learningRate: 0.1, maxSteps: 3, perDeviceTrainBatchSize: 4, lrSchedulerType: 'constant' }
  const trainer = new SFTTrainer({ model: policy, trainDataset: lessons, args: { ...base, ...args }, ...more })
  const events = await collect(trainer)
  const { native } = policy
  if (!(native instanceof FakeModel)) throw new Error('not a fake model')
  return { trainer, policy, engine, events, table: native.table, metrics: stepMetrics(events) }
}

function gap(a: Float64Array, b: Float64Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))
}

describe('a run', () => {
  it.each<SFTConfig>([{}, { lossType: 'dft' }, { completionOnlyLoss: false }])(
    'has the same weights whatever the accumulation and the micro-batch: %j',
    async (args) => {
      const whole = await sft('whole', args)
      const slices = await sft('slices', { ...args, perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 })
      const parts = await sft('parts', { ...args, tokensPerMicroBatch: 1 })
      expect(gap(whole.table, slices.table)).toBe(0)
      expect(gap(whole.table, parts.table)).toBeLessThan(1e-6)
      expect(Math.max(...whole.table)).toBeGreaterThan(0.1)
    },
  )

  it('learns the prompts too where that is wanted, and counts all tokens either way', async () => {
    const [answers, all] = [await sft('answers', {}), await sft('all', { completionOnlyLoss: false })]
    const letter = (name: string) => processor.encode(name)[0] ?? 0
    const afterR = letter('r') * 29 + letter('e')
    expect(answers.table[afterR]).toBe(0)
    expect(all.table[afterR]).toBeGreaterThan(0.1)
    expect(answers.metrics[0]?.loss).toBeCloseTo(Math.log(29), 5)
    expect(all.metrics[0]?.loss).toBeCloseTo(Math.log(29), 5)
    expect([answers.metrics[0]?.num_tokens, all.metrics[0]?.num_tokens]).toEqual([29, 29])
  })

  it('evaluates the loss that it trains', async () => {
    const args: SFTConfig = { maxSteps: 1, learningRate: 0, evalSteps: 1 }
    for (const lossType of ['chunked_nll', 'dft'] as const) {
      const { metrics, trainer } = await sft(lossType, { ...args, lossType }, { evalDataset: lessons })
      const evaluation = await trainer.evaluate()
      expect(evaluation.eval_loss).toBeCloseTo(metrics[0]?.loss ?? Number.NaN, 6)
      expect(evaluation.eval_entropy).toBeCloseTo(metrics[0]?.entropy ?? Number.NaN, 6)
    }
  })

  it('cuts answers at maxLength', async () => {
    const [long, short] = [await sft('long', { maxLength: 0 }), await sft('short', { maxLength: 7 })]
    // c + yyyz and the end fit; of 'red a' + xy and the end the last is cut, of 'red bb' + z too.
    expect(long.metrics[0]?.num_tokens).toBe(29)
    expect(short.metrics[0]?.num_tokens).toBe(7 + 7 + 6 + 7)
  })
})

describe('packing', () => {
  it('puts the largest first, each into the fullest bin that holds it', () => {
    expect(bestFitDecreasing([3, 7, 5, 2, 4, 9], 10)).toEqual([[5], [1, 0], [2, 4], [3]])
    expect(bestFitDecreasing([1, 1, 1, 1], 2)).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(bestFitDecreasing([10, 12], 10)).toEqual([[1], [0]])
    expect(bestFitDecreasing([], 10)).toEqual([])
  })

  it('fits any rows, each once, and wastes less than a bin in two', () => {
    const sizes = Array.from({ length: 500 }, (_, i) => 1 + ((i * 7919) % 60))
    const bins = bestFitDecreasing(sizes, 64)
    expect(bins.flat().sort((a, b) => a - b)).toEqual([...sizes.keys()])
    const full = bins.map((bin) => bin.reduce((sum, i) => sum + (sizes[i] ?? 0), 0))
    expect(Math.max(...full)).toBeLessThanOrEqual(64)
    expect(mean(full)).toBeGreaterThan(60)
  })

  it('learns from the rows of a block as from a batch of them', async () => {
    // 8, 8, 9 and 7 tokens: two blocks of two rows each.
    const packed = await sft('packed', { packing: true, maxLength: 17, perDeviceTrainBatchSize: 2 })
    const whole = await sft('whole', {})
    expect(packed.metrics[0]?.num_tokens).toBe(29)
    expect(gap(packed.table, whole.table)).toBeLessThan(1e-6)
    expect(Math.max(...packed.table)).toBeGreaterThan(0.1)
  })

  it('reads every row once', async () => {
    let reads = 0
    const encode: SFTTrainerOptions['encode'] = (example, processor) => {
      reads++
      return processor.prompt(example.messages)
    }
    await sft('counted', { packing: true, maxLength: 17, perDeviceTrainBatchSize: 1 }, { encode })
    expect(reads).toBe(4)
  })

  it('makes fewer steps of an epoch, and goes on from a checkpoint bit for bit', async () => {
    const args: SFTConfig = {
      packing: true,
      maxLength: 17,
      perDeviceTrainBatchSize: 1,
      maxSteps: -1,
      numTrainEpochs: 2,
    }
    const whole = await sft('whole', args)
    expect(whole.metrics).toHaveLength(4)
    const outputDir = join(place.dir, 'run')
    const stop = (event: { type: string; step?: number }) =>
      event.type === 'step' && event.step === 3 ? 'stop' : undefined
    await sft('first', { ...args, outputDir }, { callbacks: [stop] })
    const { policy } = await fakePolicy(join(place.dir, 'second'))
    const options = { learningRate: 0.1, lrSchedulerType: 'constant' as const, ...args, outputDir }
    const trainer = new SFTTrainer({ model: policy, trainDataset: lessons, args: options })
    expect(await trainer.train({ resumeFromCheckpoint: true })).toMatchObject({ reason: 'finished', steps: 4 })
    expect(policy.native instanceof FakeModel && gap(policy.native.table, whole.table)).toBe(0)
  })

  it('leaves out the rows that a run leaves out, and needs a length', async () => {
    const rows = fromArray([lessons.get(0), { ...lessons.get(1), completion: '' }, lessons.get(2)])
    const args: SFTConfig = { packing: true, maxLength: 20, onUnusableRow: 'skip', maxSteps: 1 }
    const { metrics, events } = await sft('run', args, { trainDataset: rows })
    expect(metrics[0]?.num_tokens).toBe(8 + 6)
    expect(warnings(events)).toEqual([
      expect.stringContaining('1 of 3 rows are left out; the first: example red bb: completion'),
    ])
    expect(() => resolveSFTConfig({ packing: true, maxLength: 0 })).toThrow('[args] packing: needs a maxLength above 0')
  })
})

describe('rows that cannot be learned from', () => {
  const empty = { id: 'q', messages: [{ role: 'user' as const, content: 'red e' }], completion: '' }
  const rows = fromArray([lessons.get(0), empty])

  it('stop the run', async () => {
    await expect(sft('run', {}, { trainDataset: rows })).rejects.toThrow(
      'example q: completion: expected the answer to learn, got an empty text',
    )
  })

  it('are left out and counted, in training and in evaluation', async () => {
    const args: SFTConfig = { onUnusableRow: 'skip', maxSteps: 1, evalSteps: 1 }
    const { metrics, events, table } = await sft('run', args, { trainDataset: rows, evalDataset: rows })
    expect(metrics[0]?.skipped_rows).toBe(1)
    expect(warnings(events)).toEqual([
      expect.stringContaining('1 of 2 rows are left out; the first: example q: completion'),
    ])
    expect(events.flatMap((event) => (event.type === 'eval' ? [event.metrics.eval_skipped_rows] : []))).toEqual([1])
    expect(gap(table, (await sft('alone', args, { trainDataset: fromArray([lessons.get(0)]) })).table)).toBe(0)
  })

  it('are those whose prompt leaves no room, in the limit given or the model has', async () => {
    await expect(sft('given', { maxLength: 5 })).rejects.toThrow(/the prompt has \d tokens, maxLength 5 leaves no room/)
    const content = 'a'.repeat(70)
    const long = fromArray([{ id: 'long', messages: [{ role: 'user', content }], completion: 'x' }])
    await expect(sft('model', {}, { trainDataset: long })).rejects.toThrow(
      "the prompt has 70 tokens, the model's 64 leaves no room",
    )
  })
})

describe('the options', () => {
  it("have TRL's names and defaults", () => {
    expect(resolveSFTConfig()).toMatchObject({ learningRate: 2e-5, maxLength: 1024, lossType: 'chunked_nll' })
    expect(resolveSFTConfig({ max_length: null, completion_only_loss: false, loss_type: 'dft' })).toMatchObject({
      maxLength: 0,
      completionOnlyLoss: false,
      lossType: 'dft',
    })
    expect(() => resolveSFTConfig({ lossType: 'mse' })).toThrow(
      "lossType: expected 'nll', 'chunked_nll', 'dft', got \"mse\"",
    )
  })
})
