/** DPO and SFT on the engine with images: sharing changes nothing, resuming neither, and rows without their image are met. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packSequences, type Sequence } from '../../src/batch.js'
import { type Dataset, fromArray } from '../../src/data/dataset.js'
import { DPOTrainer, type LoadModelOptions, loadModel, type Policy, SFTTrainer } from '../../src/index.js'
import { dpoLoss } from '../../src/losses/dpo.js'
import { defaultDpoOptions } from '../../src/losses/dpo-options.js'
import { native } from '../../src/native.js'
import type { TrainEvent } from '../../src/train/events.js'
import { combine, farthest, readTensors } from './trl-tensors.js'

const fixture = fileURLToPath(new URL('../parity/fixtures/trl-step', import.meta.url))
const base = join(fixture, 'base')

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-dpo-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Five pairs about four images; the last has the first's image, and its question but for the end. */
const dataset = fromArray(
  [
    ['how many chairs?', '3', 'about 12 chairs', '0'],
    ['is it red, or is it blue?', 'it is red, not blue', 'blue', '1'],
    ['which one is taller?', 'the left one', 'second', '2'],
    ['how far, in m?', '0.5', '2 m', '3'],
    ['how many chairs are red?', '1', '3', '0'],
  ].map(([question = '', chosen, rejected, image]) => ({
    id: question,
    messages: [{ role: 'user' as const, content: showAndAsk(join(fixture, 'images', `${image}.png`), question) }],
    completion: chosen,
    chosen,
    rejected,
  })),
)

function showAndAsk(image: string, text: string) {
  return [{ type: 'image', image } as const, { type: 'text', text } as const]
}

const load: LoadModelOptions = { dtype: 'float32' }
const common = {
  learningRate: 1e-3,
  maxSteps: 5,
  perDeviceTrainBatchSize: 2,
  lrSchedulerType: 'constant',
  saveSteps: 100,
} as const

type Algorithm = 'dpo' | 'sft'
interface Run {
  readonly algorithm: Algorithm
  readonly args: Record<string, unknown>
  readonly load?: LoadModelOptions
}

async function train(run: Run, outputDir: string, more: { stopAt?: number; resume?: boolean; rows?: Dataset } = {}) {
  await using model = await loadModel(base, { ...load, ...run.load })
  const stop = (event: TrainEvent) => (event.type === 'step' && event.step === more.stopAt ? 'stop' : undefined)
  const options = {
    model,
    trainDataset: more.rows ?? dataset,
    args: { ...common, ...run.args, outputDir },
    callbacks: [stop],
    reporters: [],
  }
  const trainer = run.algorithm === 'dpo' ? new DPOTrainer(options) : new SFTTrainer(options)
  const events: TrainEvent[] = []
  for await (const event of trainer.events({ resumeFromCheckpoint: more.resume })) events.push(event)
  return events
}

function digest(outputDir: string, step: number, name: string): string {
  const file = join(outputDir, 'checkpoints', `step-${step}`, name)
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

const lora = { lora: { r: 4 } }

describe('a run that stops goes on bit for bit', () => {
  const runs: [string, Run][] = [
    ['dpo', { algorithm: 'dpo', args: {} }],
    ['dpo with scores computed before', { algorithm: 'dpo', args: { precomputeRefLogProbs: true } }],
    ['dpo with LoRA', { algorithm: 'dpo', args: {}, load: lora }],
    [
      'dpo that compares pairs and moves its reference',
      {
        algorithm: 'dpo',
        args: { lossType: 'aot', syncRefModel: true, refModelSyncSteps: 2, gradientAccumulationSteps: 2 },
      },
    ],
    ['sft', { algorithm: 'sft', args: {} }],
    ['sft with LoRA', { algorithm: 'sft', args: { lossType: 'dft' }, load: lora }],
  ]

  it.each(runs)('%s', async (_, run) => {
    const weights = run.load?.lora ? 'adapter_model.safetensors' : 'model.safetensors'
    const whole = join(dir, 'whole')
    await train(run, whole)
    for (const stopAt of [1, 2, 3, 4]) {
      const part = join(dir, `part-${stopAt}`)
      await train(run, part, { stopAt })
      const events = await train(run, part, { resume: true })
      expect(events.at(-1)).toMatchObject({ type: 'end', step: 5, reason: 'finished' })
      for (const file of [weights, 'optimizer.safetensors']) expect(digest(part, 5, file)).toBe(digest(whole, 5, file))
    }
    expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
  })
})

/** What one optimizer step adds to the weights, when each list of sequences is a forward pass of its own. */
async function updateOf(
  model: Policy,
  passes: readonly (readonly Sequence[])[],
  dlogps: Float32Array,
): Promise<string> {
  const optimizer = await model.createOptimizer({ beta1: 0.9, beta2: 0.999, epsilon: 1e-4, weightDecay: 0 })
  let begin = 0
  for (const sequences of passes) {
    const count = sequences.reduce((sum, { completionIds }) => sum + completionIds.length, 0)
    const forward = await model.forward(packSequences(sequences), { grad: true, adapter: true, temperature: 1 })
    await forward.backward({ loss: 'external', dlogps: dlogps.slice(begin, begin + count) })
    forward.dispose()
    begin += count
  }
  await optimizer.step({ lr: 1e-2, maxGradNorm: 10 })
  optimizer.dispose()
  const folder = mkdtempSync(join(dir, 'after-'))
  await model.writeInto(folder, 'model')
  return join(folder, 'model.safetensors')
}

async function pairsAsSequences(model: Policy): Promise<Sequence[]> {
  const pairs = Array.from({ length: dataset.length }, async (_, index): Promise<Sequence[]> => {
    const { messages, chosen, rejected } = dataset.get(index)
    const prompt = await model.processor.prompt(messages)
    return [chosen, rejected].map((answer) => ({ prompt, completionIds: model.processor.encode(String(answer)) }))
  })
  return (await Promise.all(pairs)).flat()
}

/** The DPO loss's gradients by log-probabilities that come from passes of their own, in order. */
async function slopesOf(model: Policy, passes: readonly (readonly Sequence[])[]): Promise<Float32Array> {
  const scores = []
  for (const sequences of passes) scores.push(...(await model.scoreAll(sequences)))
  const logps = Float32Array.from(scores.flatMap((stats) => [...stats.logps]))
  let end = 0
  const offsets = Int32Array.from([0, ...scores.map((stats) => (end += stats.logps.length))])
  const refLogps = logps.map((logp, k) => logp + (k % 3) - 1)
  const weights = new Float32Array(scores.length / 2).fill(2 / scores.length)
  return dpoLoss({ logps, refLogps, offsets, weights }, { ...defaultDpoOptions, beta: 0.5 }).dlogps
}

describe('a prompt that is shared', () => {
  it('by both answers, and an image by two questions, is as one computed for each', async () => {
    const before = readTensors(join(base, 'model.safetensors'))
    const updates = []
    for (const isShared of [true, false]) {
      await using model = await loadModel(base, load)
      const sequences = await pairsAsSequences(model)
      const passes = isShared ? [sequences] : sequences.map((sequence) => [sequence])
      const packed = packSequences(passes[0] ?? [])
      // Four images and five questions for ten answers, against one of each.
      expect(packed.batch.media.length).toBe(isShared ? 4 : 1)
      const after = readTensors(await updateOf(model, passes, await slopesOf(model, passes)))
      updates.push(combine(after, before, (now, old) => now - old))
    }
    const [shared = new Map(), separate = new Map()] = updates
    const { name, value } = farthest(shared, separate)
    console.log(`shared against separate: updates within ${value.toExponential(1)} (${name})`)
    expect(value).toBeLessThan(1e-3)
    expect(
      farthest(shared, new Map([...separate].map(([key, values]) => [key, values.map((x: number) => -x)]))).value,
    ).toBeGreaterThan(1)
  })
})

describe('packing', () => {
  it('leaves no trace of neighbours in a row', async () => {
    await using model = await loadModel(base, load)
    const sequences = await pairsAsSequences(model)
    const together = await model.scoreAll(sequences)
    const backwards = (await model.scoreAll([...sequences].reverse())).reverse()
    for (const [i, sequence] of sequences.entries()) {
      const [alone] = await model.scoreAll([sequence])
      for (const [k, logp] of (alone?.logps ?? []).entries()) {
        expect(together[i]?.logps[k]).toBeCloseTo(logp, 5)
        expect(backwards[i]?.logps[k]).toBeCloseTo(logp, 5)
      }
    }
  })

  it.each<Algorithm>(['sft', 'dpo'])(
    'of all rows in one pass, or of one, gives the same updates: %s',
    async (algorithm) => {
      const before = readTensors(join(base, 'model.safetensors'))
      const updates = []
      for (const tokensPerMicroBatch of [1, 8192]) {
        const outputDir = join(dir, String(tokensPerMicroBatch))
        // Adam's epsilon is above rounding errors, of which its first step would take the sign.
        const args = { tokensPerMicroBatch, maxSteps: 1, perDeviceTrainBatchSize: 5, adamEpsilon: 1e-4 }
        await train({ algorithm, args }, outputDir)
        const after = readTensors(join(outputDir, 'checkpoints', 'step-1', 'model.safetensors'))
        updates.push(combine(after, before, (now, old) => now - old))
      }
      expect(farthest(updates[0] ?? new Map(), updates[1] ?? new Map()).value).toBeLessThan(1e-3)
    },
  )
})

describe('a row whose image is missing', () => {
  const gone = {
    ...dataset.get(0),
    id: 'gone',
    messages: [{ role: 'user' as const, content: showAndAsk('gone.png', 'how many?') }],
  }
  const rows = fromArray([dataset.get(0), gone])

  it.each<Algorithm>(['sft', 'dpo'])('stops the run, or is left out: %s', async (algorithm) => {
    const run = { algorithm, args: { maxSteps: 1 } }
    await expect(train(run, join(dir, 'stop'), { rows })).rejects.toThrow(/example gone: \S*gone\.png: file not found/)
    const events = await train({ ...run, args: { ...run.args, onUnusableRow: 'skip' } }, join(dir, 'skip'), { rows })
    expect(events.flatMap((event) => (event.type === 'step' ? [event.metrics.skipped_rows] : []))).toEqual([1])
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toEqual([
      expect.stringMatching(/^1 of 2 rows are left out; the first: example gone: .*file not found/),
    ])
  })
})
