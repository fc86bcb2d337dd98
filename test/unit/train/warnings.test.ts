/** What a run says while it goes on: findings of its first batch, alarms of its metrics, rewards that fail. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../src/policy.js'
import { named } from '../../../src/rewards/reward.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import type { GRPOTrainerOptions } from '../../../src/train/index.js'
import { collect, firstLetter, grpo, scratch, stepMetrics, table, warnings } from './harness.js'

const place = scratch()
const start = (config: GRPOConfig, more: Partial<GRPOTrainerOptions> = {}) => grpo(place.dir, config, more)

/** Nothing has been learnt yet. */
const isFresh = (policy: Policy) => table(policy).every((weight) => weight === 0)

describe('the first batch', () => {
  it('is judged before anything is learnt from it, once', async () => {
    const { trainer, policy } = await start({ maxSteps: 3 })
    const seen: { readonly type: string; readonly fresh: boolean }[] = []
    const events = []
    for await (const event of trainer) {
      events.push(event)
      seen.push({ type: event.type, fresh: isFresh(policy) })
    }
    expect(warnings(events)).toEqual([
      expect.stringMatching(/^3 of 4 groups \(75%\) earned equal rewards: only the others teach/),
      expect.stringMatching(/^\d+ of 32 completions \(\d+%\) were cut at maxCompletionLength 2/),
    ])
    expect(seen[0]).toEqual({ type: 'start', fresh: true })
    expect(seen.slice(1, 3)).toEqual(Array(2).fill({ type: 'warning', fresh: true }))
    expect(seen.filter(({ type }) => type === 'step')).toHaveLength(3)
  })

  it('tells that all rewards are equal', async () => {
    const { trainer } = await start({ maxSteps: 2 }, { rewardFuncs: [named('same', () => 1)] })
    const found = warnings(await collect(trainer)).filter((message) => message.includes('nothing can be learnt'))
    expect(found).toEqual([expect.stringMatching(/^all 32 completions earned the reward 1: nothing can be learnt/)])
  })

  it('is not judged again by a run that resumes', async () => {
    const config: GRPOConfig = { maxSteps: 4, saveSteps: 2, outputDir: place.dir }
    const { trainer } = await start(config)
    for await (const event of trainer) if (event.type === 'checkpoint') break
    const rest = await start(config)
    expect(warnings(await collect(rest.trainer.events({ resumeFromCheckpoint: true })))).toEqual([])
  })
})

describe('alarms', () => {
  it('come after the log row that raises them, once', async () => {
    const { trainer } = await start({ maxSteps: 15 }, { rewardFuncs: [named('same', () => 1)] })
    const events = await collect(trainer)
    const alarms = warnings(events).filter((message) => message.startsWith('step '))
    const flat = alarms.filter((message) => message.includes('equal rewards for 10 steps or more'))
    expect(flat).toEqual([expect.stringMatching(/^step 10: all groups earned equal rewards/)])
    const at = events.findIndex((event) => event.type === 'warning' && event.message === flat[0])
    expect(events[at - 1]?.type === 'warning' || events[at - 1]?.type === 'step').toBe(true)
    const steps = stepMetrics(events.slice(0, at))
    expect(steps).toHaveLength(10)
  })

  it('say what a configuration seldom means, before the first step', async () => {
    const { trainer } = await start({ maxSteps: 1, topK: 5, lossType: 'luspo', dynamicSampling: 'drop', beta: 0.1 })
    const events = await collect(trainer)
    const first = events.findIndex(({ type }) => type !== 'start' && type !== 'warning')
    expect(warnings(events.slice(0, first))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^topK: the policy that samples is not the one that learns/),
        "lossType 'luspo' is meant for importanceSamplingLevel 'sequence'",
        "dynamicSampling 'drop' leaves equal groups out of the KL penalty too",
      ]),
    )
  })
})

describe('a reward that fails', () => {
  /** Fails for the completions of one question. */
  const picky = named('picky', ({ example, text }) => {
    if (example.id === 'two') throw new Error('no such chair')
    return text.length
  })

  it('stops the run by default, with the example named', async () => {
    const { trainer, policy } = await start({ maxSteps: 2 }, { rewardFuncs: [firstLetter, picky] })
    await expect(trainer.train()).rejects.toThrow(/\[reward picky\] example two, .*: threw: no such chair/)
    expect(isFresh(policy)).toBe(true)
  })

  it("counts with onRewardError 'null', and the others go on", async () => {
    const config: GRPOConfig = { maxSteps: 2, onRewardError: 'null' }
    const { trainer, policy } = await start(config, { rewardFuncs: [firstLetter, picky] })
    const events = await collect(trainer)
    for (const metrics of stepMetrics(events)) {
      expect(metrics['rewards/picky/failures']).toBe(8)
      expect(metrics).not.toHaveProperty('rewards/first/failures')
      expect(metrics.reward).toBeGreaterThan(0)
    }
    const told = warnings(events).filter((message) => message.startsWith('a reward failed'))
    expect(told[0]).toMatch(/^a reward failed and counts as null: \[reward picky\] example two, .*no such chair/)
    expect(isFresh(policy)).toBe(false)
    const rows = events.flatMap((event) => (event.type === 'completions' ? event.rows : []))
    for (const { exampleId, rewards } of rows) expect(rewards.picky === null).toBe(exampleId === 'two')
  })

  it('may take rewardTimeout milliseconds and no longer', async () => {
    const slow = named('slow', async ({ example }) => {
      if (example.id === 'two') await sleep(5000, undefined, { ref: false })
      return 1
    })
    const stopping = await start({ maxSteps: 1, rewardTimeout: 30 }, { rewardFuncs: [slow] })
    const begun = performance.now()
    await expect(stopping.trainer.train()).rejects.toThrow(/\[reward slow\] example two, .*30 ms/)
    const config: GRPOConfig = { maxSteps: 1, rewardTimeout: 30, onRewardError: 'null' }
    const { trainer } = await start(config, { rewardFuncs: [firstLetter, slow] })
    const [metrics] = stepMetrics(await collect(trainer))
    expect(metrics?.['rewards/slow/failures']).toBe(8)
    expect(performance.now() - begun).toBeLessThan(4000)
  })

  it('is counted in evaluations too', async () => {
    const { trainer } = await start({ onRewardError: 'null' }, { rewardFuncs: [firstLetter, picky] })
    expect(await trainer.evaluate()).toMatchObject({ 'eval_rewards/picky/failures': 1 })
  })
})
