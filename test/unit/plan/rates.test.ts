// Measuring the machine: what it writes for that is gone, however it ends.
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Addon } from '../../../src/native.js'
import { measureRates } from '../../../src/plan/rates.js'
import { qwen2b } from './shapes.js'

it('leaves no model behind, also where the process ends while one is loaded', async () => {
  let folder = ''
  const before = process.listenerCount('exit')
  const load = async (dir: string): Promise<never> => {
    folder = dir
    expect(existsSync(dir)).toBe(true)
    process.listeners('exit').at(-1)?.(0)
    expect(existsSync(dir)).toBe(false)
    throw new Error('not loaded')
  }
  const engine = { Model: { load }, Optimizer: {} } as unknown as Pick<Addon, 'Model' | 'Optimizer'>
  const options = { dtype: 'float32', trainable: true, freezeVision: false } as const
  const workload = { completions: 1, completionTokens: 1, prompt: { patches: 0 } }
  await expect(measureRates(engine, qwen2b, options as never, workload as never)).rejects.toThrow('not loaded')
  expect(folder).toContain('vsgrpo-plan-')
  expect(process.listenerCount('exit')).toBe(before)
})
