/** `assistantOnlyLoss` on the engine: the tokens that TRL learns, and the same update as from a row for each turn. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, fromArray } from '../../src/data/dataset.js'
import { parseRow } from '../../src/data/row.js'
import { loadModel, type Policy, SFTTrainer } from '../../src/index.js'
import { resolveSFTConfig, type SFTConfig } from '../../src/train/sft/config.js'
import { readAnswers } from '../../src/train/sft/sft.js'
import type { Message, Metrics } from '../../src/types.js'
import { combine, farthest, readTensors, type Tensors } from './trl-tensors.js'

const fixtures = fileURLToPath(new URL('../parity/fixtures', import.meta.url))
const base = join(fixtures, 'trl-step', 'base')
const mediaRoot = join(fixtures, 'trl-step', 'images')

interface Golden {
  readonly versions: Readonly<Record<string, string>>
  readonly cases: Readonly<
    Record<string, { readonly messages: readonly unknown[]; readonly learned: readonly number[] }>
  >
}

const golden: Golden = JSON.parse(readFileSync(join(fixtures, 'trl-sft', 'assistant.json'), 'utf8'))

let dir = ''
let model: Policy
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-assistant-'))
  model = await loadModel(base, { dtype: 'float32' })
})
afterAll(() => {
  model.dispose()
  rmSync(dir, { recursive: true, force: true })
})

const rowOf = (messages: readonly unknown[], more: object = {}) =>
  parseRow({ messages, ...more }, { where: 'row', mediaRoot })

describe('the tokens that are learned', () => {
  it("are TRL's own, by its training template", () => {
    expect(golden.versions.trl).toBe('1.13.0')
    expect(Object.keys(golden.cases)).toHaveLength(5)
  })

  it.each(Object.entries(golden.cases))("are TRL's: %s", async (_, { messages, learned }) => {
    const row = rowOf(messages)
    const context = { dataset: fromArray([row]), policy: model, encode: () => model.processor.prompt(row.messages) }
    const config = resolveSFTConfig({ assistantOnlyLoss: true, completionEnd: 'turn' })
    const [read] = (await readAnswers([0], context, config)).rows
    if (!read) throw new Error('no row was read')
    const targets = [...(read.learnsPrompt ? read.prompt.ids.subarray(1) : []), ...read.completionIds]
    expect(targets.filter((_, k) => read.mask[k] === 1)).toEqual(learned)
  })

  it('must be found: a template without such turns is refused', async () => {
    const row = rowOf(
      [
        { role: 'user', content: 'how far?' },
        { role: 'assistant', content: '2 m' },
        { role: 'user', content: 'how many?' },
      ],
      { completion: '3' },
    )
    const encode = () => model.processor.prompt([{ role: 'user', content: 'how far? 2 m. how many?' }])
    const context = { dataset: fromArray([row]), policy: model, encode }
    await expect(readAnswers([0], context, resolveSFTConfig({ assistantOnlyLoss: true }))).rejects.toThrow(
      "example 0: assistantOnlyLoss: expected 1 turns of the assistant in the prompt's tokens, found 0; it needs Qwen2-VL's",
    )
  })
})

const conversation = golden.cases['an image, and one later']?.messages ?? []

/** What one step does to the weights, and what it says. */
async function stepOf(name: string, rows: Dataset, args: SFTConfig): Promise<{ update: Tensors; metrics: Metrics }> {
  await using policy = await loadModel(base, { dtype: 'float32' })
  // Adam's epsilon is above rounding errors, of which its first step would take the sign.
  const step: SFTConfig = { learningRate: 1e-3, maxSteps: 1, adamEpsilon: 1e-4, completionEnd: 'turn' }
  const outputDir = join(dir, name)
  const options = { model: policy, trainDataset: rows, evalDataset: rows, reporters: [] }
  const trainer = new SFTTrainer({ ...options, args: { ...step, evalSteps: 1, ...args, outputDir } })
  const before = await trainer.evaluate()
  const { metrics } = await trainer.train()
  const after = readTensors(join(outputDir, 'checkpoints', 'step-1', 'model.safetensors'))
  const start = readTensors(join(base, 'model.safetensors'))
  return { update: combine(after, start, (now, old) => now - old), metrics: { ...metrics, ...before } }
}

it('a conversation is learned as from a row for each of its turns', async () => {
  const whole = fromArray([rowOf(conversation)])
  const turns = fromArray([rowOf(conversation.slice(0, 2) as Message[]), rowOf(conversation)])
  const [once, each] = [
    await stepOf('once', whole, { assistantOnlyLoss: true }),
    await stepOf('each', turns, { perDeviceTrainBatchSize: 2 }),
  ]
  const { name, value } = farthest(once.update, each.update)
  console.log(`a conversation against its turns: updates within ${value.toExponential(1)} (${name})`)
  expect(value).toBeLessThan(1e-3)
  for (const metric of ['loss', 'entropy', 'mean_token_accuracy', 'eval_loss', 'eval_entropy']) {
    expect(once.metrics[metric], metric).toBeCloseTo(each.metrics[metric] ?? Number.NaN, 5)
  }
  const last = await stepOf('last', whole, {})
  expect(farthest(last.update, each.update).value).toBeGreaterThan(0.1)
})
