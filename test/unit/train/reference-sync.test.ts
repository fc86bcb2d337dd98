/** A reference that follows the policy (TR-DPO): every `refModelSyncSteps` steps, by the share `refModelMixupAlpha`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { type FakeEngine, FakeModel } from './fake-engine.js'
import { collect, computed, grpo, largestDifference, scratch, table, warnings } from './harness.js'

const place = scratch()
const syncing: GRPOConfig = {
  beta: 0.1,
  syncRefModel: true,
  refModelMixupAlpha: 0.25,
  refModelSyncSteps: 2,
  maxSteps: 6,
}

/** The reference is the model that was loaded last. */
function referenceOf(engine: FakeEngine): Float64Array {
  const model = engine.models.at(-1)
  if (!(model instanceof FakeModel)) throw new Error('no reference was loaded')
  return model.table
}

describe('syncRefModel', () => {
  it('moves the reference at its steps alone, by alpha', async () => {
    const { trainer, policy, engine } = await grpo(place.dir, syncing)
    let expected = table(policy).slice()
    const moved: number[] = []
    for await (const event of trainer) {
      if (event.type !== 'step') continue
      if (event.step % 2 === 0) {
        const weights = table(policy)
        expected = expected.map((value, i) => 0.75 * value + 0.25 * (weights[i] ?? 0))
      }
      expect(largestDifference(referenceOf(engine), expected)).toBeLessThan(1e-12)
      moved.push(Math.max(...expected))
    }
    expect(moved[0]).toBe(0)
    expect(new Set(moved).size).toBe(4)
  })

  it('is the policy itself with alpha 1, and does not move without syncRefModel', async () => {
    const full = await grpo(join(place.dir, 'full'), { ...syncing, refModelMixupAlpha: 1 })
    await full.trainer.train()
    expect(referenceOf(full.engine)).toEqual(table(full.policy))
    const fixed = await grpo(join(place.dir, 'fixed'), { ...syncing, syncRefModel: false })
    await fixed.trainer.train()
    expect(referenceOf(fixed.engine).every((weight) => weight === 0)).toBe(true)
  })

  it('goes on bit for bit from a checkpoint, which holds the reference', async () => {
    const start = (name: string) =>
      grpo(join(place.dir, name), { ...syncing, saveSteps: 3, outputDir: join(place.dir, name) })
    const whole = await start('whole')
    const wholeEvents = await collect(whole.trainer)
    const part = await start('part')
    for await (const event of part.trainer) if (event.type === 'checkpoint') break
    expect(existsSync(join(place.dir, 'part/checkpoints/step-3/reference/model.safetensors'))).toBe(true)
    const rest = await start('part')
    const restEvents = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(computed(restEvents)).toEqual(computed(wholeEvents).slice(3))
    expect(referenceOf(rest.engine)).toEqual(referenceOf(whole.engine))
    expect(table(rest.policy)).toEqual(table(whole.policy))
    // The first copy of the reference was freed when the saved one took its place.
    expect(rest.engine.models.filter(({ disposed }) => !disposed)).toHaveLength(1)
  })

  it('may be turned on where a run goes on: its reference is then where it began', async () => {
    const start = (syncRefModel: boolean) =>
      grpo(join(place.dir, 'run'), { ...syncing, syncRefModel, saveSteps: 3, outputDir: join(place.dir, 'run') })
    for await (const event of (await start(false)).trainer) if (event.type === 'checkpoint') break
    const { trainer, policy, engine } = await start(true)
    let expected = table(policy).map(() => 0)
    for await (const event of trainer.events({ resumeFromCheckpoint: true })) {
      if (event.type === 'warning')
        expect(event.message).toMatch('syncRefModel was false in the checkpoint and is true')
      if (event.type !== 'step' || event.step % 2 !== 0) continue
      const weights = table(policy)
      expected = expected.map((value, i) => 0.75 * value + 0.25 * (weights[i] ?? 0))
      expect(largestDifference(referenceOf(engine), expected)).toBeLessThan(1e-12)
    }
    expect(Math.max(...expected)).toBeGreaterThan(0)
  })

  it('is refused with lora when the trainer is made, and does nothing without beta, which is said', async () => {
    const lora = { r: 2, alpha: 4, targetModules: ['q_proj'], seed: 0 }
    await expect(grpo(place.dir, syncing, { lora })).rejects.toThrow(
      '[args] syncRefModel: expected a model without lora, whose reference stays as it is',
    )
    const { trainer } = await grpo(place.dir, { ...syncing, beta: 0, maxSteps: 2 })
    expect(warnings(await collect(trainer))).toContain('syncRefModel does nothing while beta is 0')
  })
})
