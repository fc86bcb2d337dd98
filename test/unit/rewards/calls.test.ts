/** How rewards are called: batched ones, timeouts, failures that are counted, and what is left behind: nothing. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InputError, VsgrpoError } from '../../../src/errors.js'
import { checkWeights, combineRewards } from '../../../src/rewards/combine.js'
import { type BatchReward, batched, named, type RewardFunc, type RewardInput } from '../../../src/rewards/reward.js'

const inputs: RewardInput[] = ['a', 'b', 'c'].map((text, i) => {
  return { text, ids: new Int32Array(1), finishReason: 'stop', example: { id: `id-${i}`, messages: [] } }
})

const never = () => new Promise<number>(() => {})

describe('a batched reward', () => {
  it('is called once, with all completions in order', async () => {
    const calls: string[][] = []
    const place = batched('place', async (all) => {
      calls.push(all.map(({ text }) => text))
      return all.map(({ text }, i) => (text === 'b' ? null : i))
    })
    const scores = await combineRewards([place, () => 1], inputs)
    expect(calls).toEqual([['a', 'b', 'c']])
    expect(scores.names).toEqual(['place', 'reward2'])
    expect(scores.byReward[0]).toEqual([0, null, 2])
    expect([...scores.totals]).toEqual([1, 1, 3])
  })

  it('gets one signal, in every input and beside them', async () => {
    const seen = new Set<AbortSignal | undefined>()
    const judge = batched('judge', (all, signal) => {
      for (const { signal: own } of all) seen.add(own)
      seen.add(signal)
      return new Promise(() => {})
    })
    await expect(combineRewards([judge], inputs, { timeout: 1 })).rejects.toThrow('timeout of 1 ms')
    expect([...seen].map((signal) => signal?.aborted)).toEqual([true])
  })

  it('stays one under another name, and may be called on one completion', async () => {
    const calls: number[] = []
    const count = batched('count', (all) => {
      calls.push(all.length)
      return all.map(() => all.length)
    })
    const renamed = named('other', count)
    expect((await combineRewards([renamed], inputs)).byReward).toEqual([[3, 3, 3]])
    expect(await Promise.all(inputs.map((input) => renamed(input)))).toEqual([1, 1, 1])
    expect(calls).toEqual([3, 1, 1, 1])
  })

  it.each([
    ['gives too few', () => [1, 2], 'expected an array of 3 values, one for each completion, got 2'],
    ['gives too many', () => [1, 2, 3, 4], 'expected an array of 3 values, one for each completion, got 4'],
    ['gives a number', () => 1, 'expected an array of 3 values, one for each completion, got 1'],
    ['gives a typed array', () => new Float64Array(3), 'got an object ([object Float64Array])'],
    ['rejects', () => Promise.reject(new Error('503')), 'threw: 503'],
  ])('names itself and the examples when it %s', async (_, faulty, message) => {
    const failure = combineRewards([batched('judge', faulty as unknown as BatchReward)], inputs)
    await expect(failure).rejects.toThrow(`[reward judge] batch of 3 completions, example id-0, id-1, id-2: `)
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_VSGRPO_REWARD' })
  })

  it.each([
    [[1, Number.NaN, 3], 'gave NaN'],
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    [[1, , 3], 'gave undefined'],
  ])('names the example of a wrong value in %j', async (values, message) => {
    const failure = combineRewards([batched('judge', () => values as number[])], inputs)
    await expect(failure).rejects.toThrow(`[reward judge] example id-1, completion "b": ${message}`)
  })

  it('refuses another number of values than one for one completion', async () => {
    const [input] = inputs
    if (!input) throw new Error('no input')
    await expect(batched('none', () => [])(input)).rejects.toThrow('one value for one completion, got none')
    await expect(batched('two', () => [1, 2])(input)).rejects.toThrow('one value for one completion, got 2')
  })
})

describe('onError: null', () => {
  const flaky = named('flaky', ({ text }) => {
    if (text === 'b') throw new Error('no network')
    return text === 'c' ? Number.NaN : 2
  })

  it('counts failures, gives null for them and says what the first was', async () => {
    const scores = await combineRewards([flaky, () => 1], inputs, { onError: 'null' })
    expect(scores.byReward).toEqual([
      [2, null, null],
      [1, 1, 1],
    ])
    expect([...scores.totals]).toEqual([3, 1, 1])
    expect(scores.failures).toEqual([2, 0])
    expect(scores.firstFailure).toBe('[reward flaky] example id-1, completion "b": threw: no network')
  })

  it('counts every completion of a batch that failed', async () => {
    const judge = batched('judge', () => [1])
    const scores = await combineRewards([judge], inputs, { onError: 'null' })
    expect(scores.failures).toEqual([3])
    expect([...scores.totals]).toEqual([Number.NaN, Number.NaN, Number.NaN])
  })

  it('reports no failure where there is none', async () => {
    const scores = await combineRewards([() => null], inputs, { onError: 'null' })
    expect(scores.failures).toEqual([0])
    expect(scores).not.toHaveProperty('firstFailure')
  })

  it('still stops with the run', async () => {
    const control = new AbortController()
    const failure = combineRewards([never], inputs, { onError: 'null', signal: control.signal })
    control.abort(new Error('enough'))
    await expect(failure).rejects.toThrow('enough')
  })
})

describe('a timeout', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('stops the batch, and names reward, example and time', async () => {
    const slow = named('slow', ({ text }) => (text === 'b' ? never() : 1))
    const outcome = combineRewards([slow], inputs, { timeout: 500 }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(499)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    const error = await outcome
    expect(error).toBeInstanceOf(VsgrpoError)
    expect(error).toMatchObject({
      code: 'ERR_VSGRPO_REWARD',
      message: '[reward slow] example id-1, completion "b": gave no result within the timeout of 500 ms',
    })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fires the signal of its own call only', async () => {
    const reasons: Record<string, unknown> = {}
    const slow: RewardFunc = ({ text, signal }) =>
      new Promise((resolve) => {
        signal?.addEventListener('abort', () => {
          reasons[text] = signal.reason
        })
        setTimeout(() => resolve(1), text === 'b' ? 700 : 400)
      })
    const outcome = combineRewards([slow], inputs, { timeout: 500, onError: 'null' })
    await vi.advanceTimersByTimeAsync(1000)
    const { byReward, failures } = await outcome
    expect(byReward).toEqual([[1, null, 1]])
    expect(failures).toEqual([1])
    expect(Object.keys(reasons)).toEqual(['b'])
    expect(reasons.b).toMatchObject({ name: 'TimeoutError' })
  })

  it('holds for a batched reward as a whole', async () => {
    const outcome = combineRewards([batched('judge', () => new Promise(() => {}))], inputs, { timeout: 20 })
    const failure = expect(outcome).rejects.toThrow(
      '[reward judge] batch of 3 completions, example id-0, id-1, id-2: gave no result within the timeout of 20 ms',
    )
    await vi.advanceTimersByTimeAsync(20)
    await failure
  })

  it('leaves no timer behind, however the batch ends', async () => {
    await combineRewards([() => 1, async () => 2], inputs, { timeout: 1000 })
    expect(vi.getTimerCount()).toBe(0)
    await expect(combineRewards([never, () => Number.NaN], inputs, { timeout: 1000 })).rejects.toThrow('gave NaN')
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
    const control = new AbortController()
    const stopped = combineRewards([never], inputs, { timeout: 1000, signal: control.signal })
    control.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses %d', async (timeout) => {
    const failure = combineRewards([() => 1], inputs, { timeout })
    await expect(failure).rejects.toThrow(InputError)
    await expect(failure).rejects.toThrow(`[rewardTimeout] expected milliseconds above 0 and up to 2147483647, got`)
  })
})

describe('the signal of a call', () => {
  it('has fired for a reward that asks for it only after its time', async () => {
    let late: AbortSignal | undefined
    const slow: RewardFunc = async (input) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      late = input.signal
      return 1
    }
    await expect(combineRewards([slow], inputs.slice(0, 1), { timeout: 1 })).rejects.toThrow('timeout of 1 ms')
    await vi.waitFor(() => expect(late?.reason).toMatchObject({ name: 'TimeoutError' }))
  })

  it('does not fire any more when the call is over', async () => {
    const over: (AbortSignal | undefined)[] = []
    const quick: RewardFunc = async ({ signal }) => over.push(signal)
    const fails: RewardFunc = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      throw new Error('no')
    }
    await expect(combineRewards([quick, fails], inputs)).rejects.toThrow('no')
    expect(over.map((signal) => signal?.aborted)).toEqual([false, false, false])
  })
})

describe('the run’s signal', () => {
  it('stops rewards that do not listen, with its reason', async () => {
    const control = new AbortController()
    const failure = combineRewards([never, batched('all', () => new Promise(() => {}))], inputs, control)
    const reason = new Error('interrupted')
    control.abort(reason)
    await expect(failure).rejects.toBe(reason)
  })

  it('keeps rewards from being called once it has fired', async () => {
    const reward = vi.fn(() => 1)
    const reason = new Error('interrupted')
    await expect(combineRewards([reward], inputs, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(reward).not.toHaveBeenCalled()
  })

  it('gathers no listeners, and no warning comes from many calls', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const { signal } = new AbortController()
    const many = Array.from({ length: 100 }, () => inputs).flat()
    const fails: RewardFunc = () => Promise.reject(new Error('no'))
    for (let batch = 0; batch < 20; batch++) {
      const running = combineRewards([async () => 1, () => 2], many, { signal, timeout: 1000 })
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      await running
      await expect(combineRewards([fails], many, { signal })).rejects.toThrow('no')
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    await new Promise(setImmediate)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })
})

describe('checkWeights', () => {
  const rewards = [named('accuracy', () => 1), named('brief', () => 0)]
  it('takes numbers from 0 up', () => {
    expect(checkWeights(rewards)).toEqual([1, 1])
    expect(checkWeights(rewards, [0, 2.5])).toEqual([0, 2.5])
  })
  it.each([
    [[1, -0.5], '[rewardWeights] expected numbers of at least 0, got -0.5 for brief; a reward that should cost gives'],
    [[1], '[rewardWeights] expected one weight for each of the 2 rewards, got 1'],
    [[1, Number.NaN], '[rewardWeights] expected finite numbers, got NaN at 1'],
    [[1, Number.POSITIVE_INFINITY], 'expected finite numbers, got Infinity at 1'],
  ])('refuses %j', (weights, message) => {
    expect(() => checkWeights(rewards, weights)).toThrow(InputError)
    expect(() => checkWeights(rewards, weights)).toThrow(message)
  })
  it('refuses a reward that is there twice, not two that have the same name', () => {
    const [accuracy] = rewards
    if (!accuracy) throw new Error('no reward')
    const twice =
      '[rewardFuncs] expected every reward once, got accuracy twice; say in rewardWeights how much it counts'
    expect(() => checkWeights([...rewards, accuracy])).toThrow(new InputError(twice))
    expect(checkWeights([...rewards, named('accuracy', () => 0)])).toEqual([1, 1, 1])
  })
})
