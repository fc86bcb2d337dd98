/** Groups that earn equal rewards: kept, left out, or replaced by groups of further prompts. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../../src/data/dataset.js'
import { createLoader } from '../../../../src/data/loader.js'
import { named } from '../../../../src/rewards/reward.js'
import { mean, standardDeviation } from '../../../../src/train/grpo/advantages.js'
import { type GRPOConfig, resolveGRPOConfig } from '../../../../src/train/grpo/config.js'
import { grpo as grpoAlgorithm } from '../../../../src/train/grpo/grpo.js'
import { FakeModel, fakePolicy } from '../fake-engine.js'
import { args, collect, computed, grpo, runContext, scratch, stepMetrics, table } from '../harness.js'

const place = scratch()

/** Rows of which `hard` ones earn nothing, whatever the answer. */
function rowsWith(count: number, isHard: (row: number) => boolean) {
  return fromArray(
    Array.from({ length: count }, (_, id) => ({
      id,
      messages: [{ role: 'user' as const, content: `row ${'abcdefghijklmnopqrstuvwxyz'[id]}` }],
      hard: isHard(id),
    })),
  )
}

const unlessHard = named('late', ({ ids, example }) => (example.hard ? 0 : (ids[0] ?? 0)))

/** The rows that the first step of a batch of rows 0 to 3 learns from, and how often it sampled. */
async function prepare(dataset: ReturnType<typeof rowsWith>, config: GRPOConfig = {}) {
  const { policy } = await fakePolicy(join(place.dir, 'model'))
  const values = resolveGRPOConfig(args({ dynamicSampling: 'refill', shuffleDataset: false, ...config }))
  const loader = createLoader({ length: dataset.length, batchSize: 4, seed: 42, shuffle: false, lastBatch: 'drop' })
  const algorithm = grpoAlgorithm({ config: values, rewards: [unlessHard], rewardWeights: [1] })
  const run = runContext(policy, dataset, { further: (count, skip) => loader.further(0, count, skip) })
  const { updates, tokens, rows = [] } = await algorithm.prepare(loader.batch(0), run)
  const learnt = updates[0]?.map(({ index }) => index) ?? []
  const calls = policy.native instanceof FakeModel ? policy.native.generateCalls : 0
  return { learnt, calls, tokens, rows, metrics: run.meter.take() }
}

describe('dynamicSampling', () => {
  const half = rowsWith(12, (row) => row === 1 || row === 3)

  it('refill puts groups of other rows in the places of flat ones', async () => {
    const { learnt, calls, rows } = await prepare(half)
    expect(learnt).toHaveLength(4)
    expect([learnt[0], learnt[2]]).toEqual([0, 2])
    expect(new Set(learnt).size).toBe(4)
    for (const row of [learnt[1], learnt[3]]) expect(row).toBeGreaterThan(3)
    expect(calls).toBe(2)
    // What was sampled in vain is logged too.
    expect(new Set(rows.map(({ exampleId }) => exampleId))).toEqual(new Set([0, 1, 2, 3, ...learnt]))
  })

  it('refill counts the tokens of all that it sampled', async () => {
    const [off, refill] = [await prepare(half, { dynamicSampling: 'off' }), await prepare(half)]
    expect(refill.tokens).toBeGreaterThan(1.4 * off.tokens)
  })

  it('refill measures all that it sampled as one batch', async () => {
    const { rows, metrics } = await prepare(half, { numCompletionsToPrint: undefined })
    const rewards = rows.map(({ reward }) => reward ?? Number.NaN)
    const hard = rows.filter(({ exampleId }) => exampleId === 1 || exampleId === 3).length
    // Four groups of the batch and a few in place of the flat ones: a mean of rounds would count these as much.
    expect(rows.length).toBeGreaterThan(32)
    expect(rows.length).toBeLessThan(64)
    expect(metrics.reward).toBeCloseTo(mean(rewards), 10)
    expect(metrics.reward_std).toBeCloseTo(standardDeviation(rewards), 10)
    expect(metrics.frac_reward_zero_std).toBeCloseTo(hard / rows.length, 10)
    const clipped = rows.filter(({ completion }) => completion.length === 2).length
    expect(metrics['completions/clipped_ratio']).toBeCloseTo(clipped / rows.length, 10)
  })

  it('drop leaves flat groups out, and off keeps them', async () => {
    expect((await prepare(half, { dynamicSampling: 'drop' })).learnt).toEqual([0, 2])
    expect((await prepare(half, { dynamicSampling: 'off' })).learnt).toEqual([0, 1, 2, 3])
  })

  it('refill draws no row twice, whatever the rounds', async () => {
    const dataset = rowsWith(26, (row) => row < 4 || row % 3 !== 0)
    for (let seed = 0; seed < 10; seed++) {
      const { learnt, rows } = await prepare(dataset, { dynamicSamplingRounds: 6, seed })
      expect(learnt.every((row) => row >= 4 && row % 3 === 0)).toBe(true)
      expect(new Set(learnt).size).toBe(learnt.length)
      const sampled = rows.map(({ exampleId }) => exampleId)
      expect(sampled).toHaveLength(8 * new Set(sampled).size)
    }
  })

  it('refill gives up after its rounds, and drops what is still flat', async () => {
    const hopeless = rowsWith(26, () => true)
    for (const dynamicSamplingRounds of [1, 3]) {
      const { learnt, calls } = await prepare(hopeless, { dynamicSamplingRounds })
      expect({ learnt, calls }).toEqual({ learnt: [], calls: 1 + dynamicSamplingRounds })
    }
  })

  it('refill gives up when the dataset has no more rows, and measures what there was', async () => {
    const { learnt, calls, metrics } = await prepare(rowsWith(4, (row) => row === 1))
    expect({ learnt, calls }).toEqual({ learnt: [0, 2, 3], calls: 1 })
    expect(Object.values(metrics).every(Number.isFinite)).toBe(true)
  })

  it('refill does the same again, and a run with it goes on bit for bit', async () => {
    const dataset = rowsWith(12, (row) => row % 2 === 0)
    const start = (name: string) =>
      grpo(
        join(place.dir, name),
        { dynamicSampling: 'refill', maxSteps: 6, saveSteps: 3, numIterations: 2, outputDir: join(place.dir, name) },
        { trainDataset: dataset, rewardFuncs: [unlessHard] },
      )
    const whole = await start('whole')
    const wholeEvents = await collect(whole.trainer)
    const part = await start('part')
    for await (const event of part.trainer) if (event.type === 'checkpoint') break
    const rest = await start('part')
    const restEvents = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(stepMetrics(restEvents)).toHaveLength(3)
    expect(table(rest.policy)).toEqual(table(whole.policy))
    expect(computed(restEvents)).toEqual(computed(wholeEvents).slice(3))
  })
})
