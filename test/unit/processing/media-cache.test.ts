import { describe, expect, it, vi } from 'vitest'
import { MediaCache } from '../../../src/processing/media-cache.js'

const media = (key: string, fours = 1) => {
  return { key, patches: new Uint8Array(4 * fours), byteValues: new Float32Array(), grid: [1, 2, 2] as const }
}

describe('MediaCache', () => {
  it('makes each item once, even when it is asked for twice at the same time', async () => {
    const cache = new MediaCache(100)
    const make = vi.fn(async () => media('a'))
    const [first, second] = await Promise.all([cache.get('a', make), cache.get('a', make)])
    expect(await cache.get('a', make)).toBe(first)
    expect(second).toBe(first)
    expect(make).toHaveBeenCalledTimes(1)
  })

  it('drops the least recently used items beyond its bytes', async () => {
    const cache = new MediaCache(8)
    const load = async (key: string) => {
      const make = vi.fn(async () => media(key))
      await cache.get(key, make)
      return make.mock.calls.length
    }
    expect([await load('a'), await load('b'), await load('a'), await load('c')]).toEqual([1, 1, 0, 1])
    expect([await load('a'), await load('b')]).toEqual([0, 1])
    expect(cache.bytes).toBe(8)
  })

  it('keeps nothing larger than itself', async () => {
    const cache = new MediaCache(8)
    await cache.get('big', async () => media('big', 3))
    expect(cache.bytes).toBe(0)
  })

  it('tries again after a failure', async () => {
    const cache = new MediaCache(8)
    await expect(cache.get('a', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
    expect(await cache.get('a', async () => media('a'))).toMatchObject({ key: 'a' })
  })
})
