/** A run whose newest checkpoint cannot be read: it goes on from the one before, to the same end, and says so. */
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { collect, grpo, scratch, table, warnings } from './harness.js'

const place = scratch()
const outputDir = () => join(place.dir, 'out')
const checkpoints = () => readdirSync(join(outputDir(), 'checkpoints')).sort()
const file = (step: number, name: string) => join(outputDir(), 'checkpoints', `step-${step}`, name)

/** Six steps; every other step is saved, with completions that are still to be trained on. */
function start(config: GRPOConfig = {}) {
  const base = { outputDir: outputDir(), maxSteps: 6, saveSteps: 2, numIterations: 3, saveTotalLimit: 2 }
  return grpo(join(place.dir, 'run'), { ...base, ...config })
}
describe('checkpoints of a run that got further', () => {
  it('are set aside by one that begins before them, and do not count', async () => {
    await (await start({ saveTotalLimit: 3 })).trainer.train()
    expect(checkpoints()).toEqual(['step-2', 'step-4', 'step-6'])
    const branch = await start({ maxSteps: 4, saveTotalLimit: 1 })
    const events = await collect(branch.trainer.events({ resumeFromCheckpoint: file(2, '.') }))
    const aside = join(outputDir(), 'checkpoints', 'earlier-1')
    expect(warnings(events)).toEqual([
      expect.stringContaining('maxSteps was 6'),
      `step-4, step-6 of an earlier run, which this one does not go on from, moved to ${aside}`,
    ])
    expect(events).toContainEqual({ type: 'checkpoint', step: 4, dir: join(outputDir(), 'checkpoints', 'step-4') })
    expect(checkpoints()).toEqual(['earlier-1', 'step-4'])
  })

  it('are set aside by one that begins anew, and stay where nothing is saved', async () => {
    await (await start({ saveTotalLimit: 3 })).trainer.train()
    await (await start({ saveStrategy: 'no' })).trainer.train()
    expect(checkpoints()).toEqual(['step-2', 'step-4', 'step-6'])
    await (await start({ maxSteps: 2 })).trainer.train()
    expect(checkpoints()).toEqual(['earlier-1', 'step-2'])
  })
})

describe('a damaged checkpoint', () => {
  /** A run that was left after four of its six steps. */
  async function leave(): Promise<void> {
    const { trainer } = await start()
    for await (const event of trainer) if (event.type === 'checkpoint' && event.step === 4) break
  }

  it.each(['trainer.json', 'samples.json'])('without its %s gives way to the one before it', async (name) => {
    const whole = await start({ outputDir: join(place.dir, 'whole') })
    await whole.trainer.train()
    await leave()
    truncateSync(file(4, name), 20)
    const rest = await start()
    const events = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(events[0]).toMatchObject({ type: 'start', step: 2 })
    expect(warnings(events)).toEqual([
      expect.stringMatching(
        `^step-4 is damaged, and is named damaged-step-4 now: .* cannot read .*${name}: .*; the run goes on from step-2$`,
      ),
    ])
    expect(table(rest.policy)).toEqual(table(whole.policy))
    expect(rest.engine.live).toEqual({ forwards: 0, optimizers: 0 })
    expect(checkpoints()).toEqual(['damaged-step-4', 'step-4', 'step-6'])
  })

  it.each([
    ['trainer.json', '{}'],
    ['trainer.json', '[]'],
    ['samples.json', '{}'],
    ['entropy-control.json', '{"entropyCoef":0.1,'],
    ['entropy-control.json', '{}'],
  ])('whose %s holds %s gives way to the one before it', async (name, content) => {
    const config: GRPOConfig = { useAdaptiveEntropy: true, entropyCoef: 0.1 }
    const { trainer } = await start(config)
    for await (const event of trainer) if (event.type === 'checkpoint' && event.step === 4) break
    writeFileSync(file(4, name), content)
    const rest = await start(config)
    const events = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(events[0]).toMatchObject({ type: 'start', step: 2 })
    expect(warnings(events)).toEqual([expect.stringMatching(`^step-4 is damaged, .*${name}`)])
  })

  it('is told about where it was named, or where no other is whole, and stays where it was', async () => {
    await leave()
    truncateSync(file(4, 'trainer.json'), 20)
    const named = await start()
    await expect(named.trainer.train({ resumeFromCheckpoint: file(4, '.') })).rejects.toThrow(
      /step-4 is not a checkpoint of a run: cannot read .*trainer.json/,
    )
    truncateSync(file(2, 'trainer.json'), 20)
    const newest = await start()
    await expect(newest.trainer.train({ resumeFromCheckpoint: true })).rejects.toThrow(
      /^\[resume\] no checkpoint in .*checkpoints can be read: .*step-4 is not a checkpoint/,
    )
    expect(checkpoints()).toEqual(['step-2', 'step-4'])
  })
})

describe('a run folder', () => {
  it('is used by one run at a time', async () => {
    const [first, second] = [await start(), await start()]
    for await (const event of first.trainer) {
      if (event.type !== 'step') continue
      await expect(second.trainer.train()).rejects.toThrow(
        `process ${process.pid} is training into it; wait for its end`,
      )
      break
    }
    expect(await second.trainer.train()).toMatchObject({ reason: 'finished' })
    expect(readdirSync(outputDir())).not.toContain('run.lock')
  })
})

describe('a checkpoint that cannot be loaded', () => {
  it('leaves the policy as it was loaded', async () => {
    await (await start()).trainer.train()
    writeFileSync(file(6, 'model.safetensors'), 'no weights')
    const { policy, trainer } = await start()
    const before = table(policy)
    await expect(trainer.train({ resumeFromCheckpoint: file(6, '.') })).rejects.toThrow()
    expect(table(policy)).toEqual(before)
    expect(await trainer.train({ resumeFromCheckpoint: file(4, '.') })).toMatchObject({ reason: 'finished' })
  })
})
