/** The cache of encoded prompts. */
import { expect, it } from 'vitest'
import { PromptCache } from '../../../src/train/prompt-cache.js'
import type { Media, Prompt } from '../../../src/types.js'

const video: Media = { key: 'v', patches: new Uint8Array(400), byteValues: new Float32Array(), grid: [1, 1, 1] }

function prompt(media: readonly Media[] = []): Prompt {
  return { ids: new Int32Array(5), positions: new Int32Array(15), nextPosition: 5, media, sharedLength: 0 }
}

it('encodes a row once while there is room, also when it is asked for twice at the same time', async () => {
  let encoded = 0
  const cache = new PromptCache(async () => {
    encoded++
    return prompt()
  }, 1000)
  const [a, b] = await Promise.all([cache.get(1), cache.get(1)])
  expect(a).toBe(b)
  expect(await cache.get(1)).toBe(a)
  expect(encoded).toBe(1)
})

it('drops the row that was not used for the longest time', async () => {
  const encoded: number[] = []
  const cache = new PromptCache(async (index) => {
    encoded.push(index)
    return prompt()
  }, 160)
  for (const index of [1, 2, 1, 3, 1, 2]) await cache.get(index)
  expect(encoded).toEqual([1, 2, 3, 2])
  expect(cache.bytes).toBe(160)
})

it('counts media that prompts share once, and gives their bytes back with the last of them', async () => {
  const cache = new PromptCache(async (index) => prompt(index < 3 ? [video] : []), 600)
  await cache.get(1)
  await cache.get(2)
  expect(cache.bytes).toBe(400 + 2 * 80)
  await cache.get(3)
  expect(cache.bytes).toBe(400 + 2 * 80)
  await cache.get(4)
  expect(cache.bytes).toBe(2 * 80)
})

it('tries again after a row that could not be encoded', async () => {
  let tries = 0
  const cache = new PromptCache(async () => {
    if (++tries === 1) throw new Error('unreadable')
    return prompt()
  }, 1000)
  await expect(cache.get(1)).rejects.toThrow('unreadable')
  expect((await cache.get(1)).ids).toHaveLength(5)
})
