import { expect, it } from 'vitest'
import { Turns } from '../../src/turns.js'

it('runs so many pieces of work at a time, in order, and goes on after one that fails', async () => {
  const turns = new Turns(2)
  let [running, most] = [0, 0]
  const begun: number[] = []
  const work = (i: number) => async () => {
    begun.push(i)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 5 - i))
    running--
    if (i === 1) throw new Error('one of them')
    return i
  }
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((i) => turns.run(work(i))))
  expect(begun).toEqual([0, 1, 2, 3, 4])
  expect(most).toBe(2)
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
    0,
    'Error: one of them',
    2,
    3,
    4,
  ])
})
