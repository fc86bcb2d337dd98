/** The next batch's prompts are read while a batch is learned from, on the fake engine. */
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { processor, textPrompt } from './fake-engine.js'
import { collect, grpo, scratch } from './harness.js'

const place = scratch()

/** A run of three steps of one question each; what happens, in order. */
async function record(fails: (asked: number) => boolean = () => false) {
  const happened: string[] = []
  let asked = 0
  const { trainer, engine } = await grpo(
    join(place.dir, 'run'),
    { maxSteps: 3, numGenerations: 4, perDeviceTrainBatchSize: 4, beta: 0 },
    {
      promptCacheBytes: 0,
      encode: async () => {
        asked++
        happened.push(`read ${asked}`)
        if (fails(asked)) throw new Error(`row ${asked} is unreadable`)
        return textPrompt('a')
      },
    },
  )
  engine.onForward = () => happened.push('pass')
  const ended = await collect(trainer).then(
    () => 'end',
    (error) => String(error.message),
  )
  return { happened, ended }
}

it('before the pass that learns from the present one, and nothing after the last', async () => {
  expect(await record()).toEqual({ happened: ['read 1', 'read 2', 'pass', 'read 3', 'pass', 'pass'], ended: 'end' })
})

it('and one that cannot be read counts when its step comes', async () => {
  const { happened, ended } = await record((asked) => asked === 2)
  expect(happened.filter((what) => what === 'pass')).toHaveLength(1)
  expect(ended).toContain('row 2 is unreadable')
})

it('but for no longer than the run lasts', async () => {
  const signals: (AbortSignal | undefined)[] = []
  const prompt = vi.spyOn(processor, 'prompt').mockImplementation(async (_, { signal } = {}) => {
    signals.push(signal)
    return textPrompt('a')
  })
  const args = { maxSteps: 3, numGenerations: 4, perDeviceTrainBatchSize: 4 }
  const { trainer } = await grpo(join(place.dir, 'run'), args, { promptCacheBytes: 0 })
  for await (const { type } of trainer) {
    if (type !== 'step') continue
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false])
    break
  }
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, true])
  prompt.mockRestore()
})
