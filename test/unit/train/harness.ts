/** What the tests of whole runs on the fake engine share: a folder, four questions, a reward, and a trainer of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { type Dataset, fromArray } from '../../../src/data/dataset.js'
import type { LoraOptions } from '../../../src/native.js'
import type { Policy } from '../../../src/policy.js'
import { named } from '../../../src/rewards/reward.js'
import type { RunContext } from '../../../src/train/algorithm.js'
import type { TrainEvent } from '../../../src/train/events.js'
import type { GRPOConfig } from '../../../src/train/grpo/config.js'
import { GRPOTrainer, type GRPOTrainerOptions } from '../../../src/train/index.js'
import { Meter } from '../../../src/train/meter.js'
import type { Metrics } from '../../../src/types.js'
import { FakeModel, fakePolicy } from './fake-engine.js'

/** A folder for each test of a file, gone afterwards. */
export function scratch(): { readonly dir: string } {
  const folder = { dir: '' }
  beforeEach(() => {
    folder.dir = mkdtempSync(join(tmpdir(), 'vsgrpo-trainer-'))
  })
  afterEach(() => rmSync(folder.dir, { recursive: true, force: true }))
  return folder
}

export const questions = fromArray([
  { id: 'one', messages: [{ role: 'user', content: 'red a' }], answer: 'x' },
  { id: 'two', messages: [{ role: 'user', content: 'red b' }], answer: 'y' },
  { id: 'three', messages: [{ role: 'user', content: 'red c' }], answer: 'z' },
  { id: 'four', messages: [{ role: 'user', content: 'red d' }], answer: 'x' },
])

export const firstLetter = named('first', ({ text, example }) => (text[0] === example.answer ? 1 : 0))

/** Groups of 8, all four questions in a step, at a rate that the table learns from at once. */
export function args(more: GRPOConfig = {}): GRPOConfig {
  return {
    numGenerations: 8,
    perDeviceTrainBatchSize: 32,
    learningRate: 0.3,
    maxSteps: 40,
    maxCompletionLength: 2,
    ...more,
  }
}

/** A fresh policy in `folder`, and a trainer of it. */
export async function grpo(
  folder: string,
  config: GRPOConfig = {},
  { lora, ...more }: Partial<GRPOTrainerOptions> & { readonly lora?: LoraOptions } = {},
) {
  const { policy, engine } = await fakePolicy(join(folder, 'model'), { lora })
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: questions,
    evalDataset: questions,
    rewardFuncs: [firstLetter],
    args: args(config),
    ...more,
  })
  return { trainer, policy, engine }
}

export async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

export function stepMetrics(events: readonly TrainEvent[]): Metrics[] {
  return events.flatMap((event) => (event.type === 'step' ? [event.metrics] : []))
}

export function warnings(events: readonly TrainEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
}

/** Metrics that say how fast it went and what it took, not what was computed. */
export function isMeasured(name: string): boolean {
  return /^(step_time|profiling|tokens_per_second|memory)/.test(name)
}

/** The metrics of every step that another run of the same computation has too. */
export function computed(events: readonly TrainEvent[]): Metrics[] {
  return stepMetrics(events).map((metrics) =>
    Object.fromEntries(Object.entries(metrics).filter(([name]) => !isMeasured(name))),
  )
}

/** The fake model's weights. */
export function table(policy: Policy): Float64Array {
  if (!(policy.native instanceof FakeModel)) throw new Error('not a fake model')
  return policy.native.table
}

/** What the loop hands to an algorithm in its first step, for tests that take its part. */
export function runContext(policy: Policy, dataset: Dataset, more: Partial<RunContext> = {}): RunContext {
  return {
    policy,
    dataset,
    encode: (index) => policy.processor.prompt(dataset.get(index).messages, {}),
    batchNumber: 0,
    step: 1,
    meter: new Meter(),
    now: () => performance.now(),
    further: () => [],
    ...more,
  }
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN))))
}
