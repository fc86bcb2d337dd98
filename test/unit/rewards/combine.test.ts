/** Several rewards on a batch. */
import { describe, expect, it } from 'vitest'
import { InputError, VsgrpoError } from '../../../src/errors.js'
import { combineRewards } from '../../../src/rewards/combine.js'
import { named, type RewardFunc, type RewardInput, rewardNames } from '../../../src/rewards/reward.js'

const inputs: RewardInput[] = ['a', 'b', 'c'].map((text, i) => {
  return { text, ids: new Int32Array(1), finishReason: 'stop', example: { id: `id-${i}`, messages: [] } }
})

describe('combineRewards', () => {
  it('adds rewards with their weights, and leaves null out', async () => {
    const length = named('length', () => 2)
    const onlyB = named('onlyB', async ({ text }) => (text === 'b' ? 1 : null))
    const scores = await combineRewards([length, onlyB], inputs, { weights: [0.5, 10] })
    expect(scores.names).toEqual(['length', 'onlyB'])
    expect(scores.byReward).toEqual([
      [2, 2, 2],
      [null, 1, null],
    ])
    expect([...scores.totals]).toEqual([1, 11, 1])
  })

  it('cannot score a completion to which no reward applies', async () => {
    const { totals } = await combineRewards([({ text }) => (text === 'a' ? null : 1)], inputs)
    expect([...totals]).toEqual([Number.NaN, 1, 1])
  })

  it('runs all rewards on all completions at the same time', async () => {
    let running = 0
    let most = 0
    const slow = (): RewardFunc => async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      return 0
    }
    await combineRewards([slow(), slow()], inputs)
    expect(most).toBe(6)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no network')
      },
      'threw: no network',
    ],
    ['rejects', () => Promise.reject(new Error('no network')), 'threw: no network'],
    ['gives NaN', () => Number.NaN, 'gave NaN'],
    ['gives infinity', () => Number.POSITIVE_INFINITY, 'gave Infinity'],
    ['gives undefined', () => undefined as unknown as number, 'gave undefined'],
    ['gives a text', () => '1' as unknown as number, 'gave "1"'],
    ['gives a big number', () => 10n as unknown as number, 'gave 10n'],
  ] as [string, RewardFunc, string][])(
    'names reward, example and answer when a reward %s',
    async (_, faulty, message) => {
      const reward = named('picky', (input) => (input.text === 'b' ? faulty(input) : 1))
      const failure = combineRewards([reward], inputs)
      await expect(failure).rejects.toThrow(VsgrpoError)
      await expect(failure).rejects.not.toThrow(InputError)
      await expect(failure).rejects.toThrow(`[reward picky] example id-1, completion "b": ${message}`)
      await expect(failure).rejects.toMatchObject({ code: 'ERR_VSGRPO_REWARD' })
    },
  )

  it('tells the other rewards to stop when one fails', async () => {
    let stopped = false
    const waiting: RewardFunc = ({ signal }) =>
      new Promise((resolve) =>
        signal?.addEventListener('abort', () => {
          stopped = true
          resolve(0)
        }),
      )
    await expect(combineRewards([waiting, () => Number.NaN], inputs)).rejects.toThrow('gave NaN')
    expect(stopped).toBe(true)
  })
})

it('names rewards after their functions, and tells equal names apart', () => {
  function length() {
    return 1
  }
  expect(rewardNames([length, () => 1, named('length', () => 2)])).toEqual(['length', 'reward2', 'length2'])
})
