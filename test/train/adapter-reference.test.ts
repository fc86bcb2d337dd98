/** DPO and GRPO that go on from an adapter: their reference is the adapter as it was loaded, as in TRL, not the bare base. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromArray } from '../../src/data/dataset.js'
import { DPOTrainer, GRPOTrainer, loadModel, type Metrics, SFTTrainer } from '../../src/index.js'
import type { TrainEvent } from '../../src/train/events.js'

const base = fileURLToPath(new URL('../parity/fixtures/trl-step/base', import.meta.url))
const ask = (question: string) => ({ messages: [{ role: 'user' as const, content: question }] })
const dataset = fromArray(
  [
    ['how many chairs?', '3', 'about 12 chairs'],
    ['is it red, or is it blue?', 'it is red, not blue', 'blue'],
    ['which one is taller?', 'the left one', 'second'],
    ['how far, in m?', '0.5', '2 m'],
  ].map(([question = '', chosen, rejected]) => ({ ...ask(question), completion: chosen, chosen, rejected })),
)
const args = { maxSteps: 1, perDeviceTrainBatchSize: 4, lrSchedulerType: 'constant', shuffleDataset: false } as const

let dir = ''
const adapter = () => join(dir, 'adapter')
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-adapter-'))
  await using model = await loadModel(base, { dtype: 'float32', lora: { r: 4 } })
  await new SFTTrainer({ model, trainDataset: dataset, args: { ...args, maxSteps: 20, learningRate: 1e-2 } }).train()
  await model.save(adapter(), 'adapter')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Run {
  readonly outputDir?: string
  readonly stopAt?: number
  readonly resume?: boolean
}

/** The metrics of each step, and a checksum of the adapter at the end. */
async function dpo(more: object, { outputDir, stopAt, resume = false }: Run = {}) {
  await using model = await loadModel(adapter(), { dtype: 'float32' })
  const stop = (event: TrainEvent) => (event.type === 'step' && event.step === stopAt ? 'stop' : undefined)
  const trainer = new DPOTrainer({
    model,
    trainDataset: dataset,
    args: { ...args, ...more, outputDir },
    reporters: [],
    callbacks: [stop],
  })
  const steps: Metrics[] = []
  for await (const event of trainer.events({ resumeFromCheckpoint: resume })) {
    if (event.type === 'step') steps.push(event.metrics)
  }
  const saved = join(dir, 'saved')
  await model.save(saved, 'adapter')
  const bytes = readFileSync(join(saved, 'adapter_model.safetensors'))
  return { steps, sum: createHash('sha256').update(bytes).digest('hex') }
}

describe('the reference of a policy from an adapter', () => {
  it('is the policy itself before the first DPO step', async () => {
    const [first] = (await dpo({ learningRate: 0 })).steps
    expect(first?.loss).toBeCloseTo(Math.log(2), 6)
    expect(first).toMatchObject({ 'rewards/chosen': 0, 'rewards/rejected': 0, 'rewards/margins': 0 })
  })

  it('gives GRPO a KL of 0 at the first step, and more later', async () => {
    await using model = await loadModel(adapter(), { dtype: 'float32' })
    const trainer = new GRPOTrainer({
      model,
      trainDataset: dataset,
      rewardFuncs: ({ ids }) => ids.reduce((sum, id) => sum + (id % 2), 0),
      args: { ...args, maxSteps: 3, numGenerations: 4, beta: 0.04, learningRate: 1e-2, maxCompletionLength: 8 },
    })
    const kl: (number | undefined)[] = []
    for await (const event of trainer) if (event.type === 'step') kl.push(event.metrics.kl)
    expect(kl[0]).toBeCloseTo(0, 6)
    expect(kl[2]).toBeGreaterThan(1e-4)
  })

  it('is the same after a resume, though the policy has moved', async () => {
    const settings = { maxSteps: 4, learningRate: 1e-3 }
    const whole = await dpo(settings)
    const outputDir = join(dir, 'run')
    const part = await dpo(settings, { outputDir, stopAt: 2 })
    const rest = await dpo(settings, { outputDir, resume: true })
    expect([...part.steps, ...rest.steps].map(({ loss }) => loss)).toEqual(whole.steps.map(({ loss }) => loss))
    expect(rest.sum).toBe(whole.sum)
  })
})
