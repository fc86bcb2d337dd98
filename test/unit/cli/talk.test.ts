/** Progress on stderr: seldom enough to be read, and always at the end. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { sayCount, sayTimeLeft } from '../../../src/cli/talk.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('counts every five seconds, and when all is done', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const progress = sayCount('rooms')
  for (let done = 1; done <= 8; done++) {
    vi.advanceTimersByTime(2000)
    progress(done, 8)
  }
  expect(write.mock.calls.map(([text]) => text)).toEqual(['3/8 rooms\n', '6/8 rooms\n', '8/8 rooms\n'])
})

it('tells the time that is left by what was done since the start, and at the end the time that it took', () => {
  const lines: string[] = []
  const progress = sayTimeLeft('rows', { before: 10, tell: (line) => lines.push(line) })
  vi.advanceTimersByTime(10_000)
  progress(15, 20)
  vi.advanceTimersByTime(1000)
  progress(20, 20)
  expect(lines).toEqual(['15/20 rows  10s left', '20/20 rows  in 11s'])
})
