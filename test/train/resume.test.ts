/** Whole runs on the engine with a tiny Qwen2-VL: what is learned, and that an interrupted run ends as a whole one does. */
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromArray } from '../../src/data/dataset.js'
import { type LoadOptions, native } from '../../src/native.js'
import { Policy, type PolicyProcessor } from '../../src/policy.js'
import { named } from '../../src/rewards/reward.js'
import type { TrainEvent } from '../../src/train/events.js'
import type { GRPOConfig } from '../../src/train/grpo-config.js'
import { GRPOTrainer } from '../../src/train/trainer.js'
import type { Prompt } from '../../src/types.js'

const fixture = fileURLToPath(new URL('../parity/fixtures/tiny-a', import.meta.url))

/** Tokens 10 + letter, and one that ends an answer: the tiny checkpoint has no tokenizer. */
const processor: PolicyProcessor = {
  eosIds: Int32Array.of(9),
  maxPositions: 256,
  encode: (text) => Int32Array.from(text, (letter) => 10 + (letter.charCodeAt(0) % 26)),
  decode: (ids) => [...ids].map((id) => `<${id}>`).join(''),
  async prompt(messages) {
    const content = messages.at(-1)?.content
    return textPrompt(processor.encode(typeof content === 'string' ? content : ''))
  },
}

function textPrompt(ids: Int32Array): Prompt {
  const positions = Int32Array.from({ length: 3 * ids.length }, (_, i) => i % ids.length)
  return { ids, positions, nextPosition: ids.length, media: [], sharedLength: 0 }
}

const dataset = fromArray(
  ['red chair', 'blue sofa', 'green lamp'].map((content) => ({ messages: [{ role: 'user', content }] })),
)
/** Low tokens are good: easy to learn from any prompt. */
const low = named('low', ({ ids }) => ids.reduce((sum, id) => sum + (id < 40 ? 1 : 0), 0) / ids.length)

const lora = { r: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'gate_proj'], seed: 1 }

let dir = ''
let tiny = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-train-'))
  tiny = join(dir, 'tiny')
  copyWithoutMedia(fixture, tiny)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** The checkpoint with its media tokens out of reach: at random weights they would be sampled as often as any other. */
function copyWithoutMedia(from: string, to: string): void {
  mkdirSync(to)
  copyFileSync(join(from, 'model.safetensors'), join(to, 'model.safetensors'))
  const config: object = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'))
  writeFileSync(
    join(to, 'config.json'),
    JSON.stringify({ ...config, image_token_id: 100_000, video_token_id: 100_001 }),
  )
}

async function trainer(load: Partial<LoadOptions>, args: GRPOConfig, signal?: AbortSignal) {
  const options: LoadOptions = { dtype: 'float32', trainable: true, freezeVision: true, ...load }
  const engine = native()
  const policy = new Policy({
    model: await engine.Model.load(tiny, options),
    processor,
    dir: tiny,
    engine,
    load: options,
  })
  const base: GRPOConfig = {
    numGenerations: 8,
    perDeviceTrainBatchSize: 24,
    maxCompletionLength: 6,
    maxSteps: 6,
    saveSteps: 100,
    tokensPerMicroBatch: 64,
    loggingSteps: 1,
    lrSchedulerType: 'constant',
  }
  return {
    policy,
    trainer: new GRPOTrainer({
      model: policy,
      trainDataset: dataset,
      rewardFuncs: low,
      args: { ...base, ...args },
      signal,
      reporters: [],
    }),
  }
}

function weightsOf(checkpoint: string, name: string): string {
  return createHash('sha256')
    .update(readFileSync(join(checkpoint, name)))
    .digest('hex')
}

describe('a GRPO run on the engine', () => {
  it('raises the reward', async () => {
    const run = await trainer({}, { learningRate: 3e-3, maxSteps: 12 })
    const rewards: number[] = []
    const gaps: number[] = []
    for await (const event of run.trainer) {
      if (event.type !== 'step') continue
      rewards.push(event.metrics.reward ?? 0)
      gaps.push(event.metrics['sampling/sampling_logp_difference/max'] ?? 1)
    }
    run.policy.dispose()
    expect(rewards.at(-1)).toBeGreaterThan((rewards[0] ?? 1) + 0.3)
    expect(Math.max(...gaps)).toBeLessThan(1e-4)
  })

  it.each([
    ['full fine-tuning', {}, { beta: 0, learningRate: 1e-3 }, 'model.safetensors'],
    [
      'full fine-tuning with a reference and two passes',
      {},
      { beta: 0.05, numIterations: 2, learningRate: 1e-3 },
      'model.safetensors',
    ],
    ['LoRA', { lora }, { beta: 0.05, learningRate: 1e-2 }, 'adapter_model.safetensors'],
  ] satisfies [string, Partial<LoadOptions>, GRPOConfig, string][])(
    'that is interrupted goes on bit for bit: %s',
    async (_, load, args, weights) => {
      const whole = await trainer(load, { ...args, outputDir: join(dir, 'whole') })
      await whole.trainer.train()
      whole.policy.dispose()

      const control = new AbortController()
      const part = await trainer(load, { ...args, outputDir: join(dir, 'part') }, control.signal)
      const events: TrainEvent[] = []
      for await (const event of part.trainer) {
        events.push(event)
        if (event.type === 'step' && event.step === 3) setTimeout(() => control.abort(), 5)
      }
      part.policy.dispose()
      expect(events.at(-1)).toMatchObject({ type: 'end', reason: 'aborted' })

      const rest = await trainer(load, { ...args, outputDir: join(dir, 'part') })
      expect(await rest.trainer.train({ resumeFromCheckpoint: true })).toMatchObject({ reason: 'finished', steps: 6 })
      rest.policy.dispose()
      const [a, b] = ['whole', 'part'].map((name) => weightsOf(join(dir, name, 'checkpoints', 'step-6'), weights))
      expect(b).toBe(a)
      expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
    },
  )
})
