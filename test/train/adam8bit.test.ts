/** Runs with 8-bit moments on the engine: they learn as runs with float32 moments do, and resume bit for bit. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import { readWeights, tinyFolder, tinyTrainer } from './tiny.js'

const folder = tinyFolder()
const checkpoint = (name: string, step: number, file: string) =>
  join(folder.dir, name, 'checkpoints', `step-${step}`, file)

/** The mean reward of the run's last steps. */
async function lastReward(name: string, args: GRPOConfig): Promise<number> {
  const run = await tinyTrainer(folder.dir, { ...args, outputDir: join(folder.dir, name) })
  const rewards: number[] = []
  for await (const event of run.trainer) if (event.type === 'step') rewards.push(event.metrics.reward ?? Number.NaN)
  run.policy.dispose()
  return rewards.slice(-4).reduce((sum, reward) => sum + reward, 0) / 4
}

it('a run with 8-bit moments ends near the reward of one with float32 moments, and its checkpoint is smaller', async () => {
  const args = { learningRate: 3e-3, maxSteps: 16 }
  const whole = await lastReward('whole', args)
  const coded = await lastReward('coded', { ...args, optimStateDtype: 'int8' })
  const [a = 0, b = 0] = ['whole', 'coded'].map((name) => statSync(checkpoint(name, 16, 'optimizer.safetensors')).size)
  console.log(
    `reward ${whole.toFixed(3)} with float32 moments, ${coded.toFixed(3)} with int8; state of ${a} and ${b} bytes`,
  )
  expect(whole).toBeGreaterThan(0.7)
  expect(coded).toBeGreaterThan(whole - 0.15)
  expect(b).toBeLessThan(0.4 * a)
})

it('a run with 8-bit moments that stops half way goes on bit for bit', async () => {
  const start = (name: string, maxSteps: number) =>
    tinyTrainer(folder.dir, {
      learningRate: 1e-3,
      maxSteps,
      optimStateDtype: 'int8',
      outputDir: join(folder.dir, name),
    })
  const train = async (name: string, maxSteps: number, resumeFromCheckpoint: boolean) => {
    const run = await start(name, maxSteps)
    await run.trainer.train({ resumeFromCheckpoint })
    run.policy.dispose()
  }
  await train('straight', 6, false)
  await train('parts', 3, false)
  await train('parts', 6, true)
  const [a, b] = ['straight', 'parts'].map((name) => readWeights(checkpoint(name, 6, 'model.safetensors')).digest)
  expect(b).toBe(a)
})
