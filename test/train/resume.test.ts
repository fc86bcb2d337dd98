/** Whole runs on the engine with a tiny Qwen2-VL: what is learned, and that an interrupted run ends as a whole one does. */
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type LoadOptions, native } from '../../src/native.js'
import type { TrainEvent } from '../../src/train/events.js'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import { readWeights, tinyFolder, tinyTrainer } from './tiny.js'

const folder = tinyFolder()
const lora = { r: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'gate_proj'], seed: 1 }

describe('a GRPO run on the engine', () => {
  it('raises the reward', async () => {
    const run = await tinyTrainer(folder.dir, { learningRate: 3e-3, maxSteps: 12 })
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
      const start = (name: string, signal?: AbortSignal) =>
        tinyTrainer(folder.dir, { ...args, outputDir: join(folder.dir, name) }, { load, signal })
      const whole = await start('whole')
      await whole.trainer.train()
      whole.policy.dispose()

      const control = new AbortController()
      const part = await start('part', control.signal)
      const events: TrainEvent[] = []
      for await (const event of part.trainer) {
        events.push(event)
        if (event.type === 'step' && event.step === 3) setTimeout(() => control.abort(), 5)
      }
      part.policy.dispose()
      expect(events.at(-1)).toMatchObject({ type: 'end', reason: 'aborted' })

      const rest = await start('part')
      expect(await rest.trainer.train({ resumeFromCheckpoint: true })).toMatchObject({ reason: 'finished', steps: 6 })
      rest.policy.dispose()
      const [a, b] = ['whole', 'part'].map(
        (name) => readWeights(join(folder.dir, name, 'checkpoints', 'step-6', weights)).digest,
      )
      expect(b).toBe(a)
      expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
    },
  )

  it.each(['model.safetensors', 'optimizer.safetensors'])(
    'whose newest checkpoint has half of its %s goes on from the one before it',
    async (cut) => {
      const start = (maxSteps: number) =>
        tinyTrainer(folder.dir, { maxSteps, saveSteps: 2, outputDir: join(folder.dir, 'run') })
      const part = await start(4)
      await part.trainer.train()
      part.policy.dispose()
      const checkpoints = join(folder.dir, 'run', 'checkpoints')
      const file = join(checkpoints, 'step-4', cut)
      const whole = readWeights(join(checkpoints, 'step-4', 'model.safetensors')).digest
      truncateSync(file, statSync(file).size / 2)

      const rest = await start(4)
      const events: TrainEvent[] = []
      for await (const event of rest.trainer.events({ resumeFromCheckpoint: true })) events.push(event)
      rest.policy.dispose()
      const [begun, warning] = events
      expect(begun).toMatchObject({ type: 'start', step: 2 })
      expect(warning).toMatchObject({ message: expect.stringMatching(`^step-4 is damaged, .*${cut}.*from step-2$`) })
      expect(readdirSync(checkpoints).sort()).toEqual(['damaged-step-4', 'step-2', 'step-4'])
      expect(readWeights(join(checkpoints, 'step-4', 'model.safetensors')).digest).toBe(whole)
      expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
    },
  )
})
