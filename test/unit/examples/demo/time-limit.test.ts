/** The demo's training ends after some minutes: what that does to the run and to its progress. */
import { describe, expect, it, vi } from 'vitest'
import { timeLimit } from '../../../../examples/demo/time-limit.js'
import type { StepEvent } from '../../../../src/train/events.js'

const step = (secondsLeft: number): StepEvent => {
  return { type: 'step', step: 1, epoch: 0, metrics: {}, tokensPerSecond: 1, secondsLeft }
}

describe('a limit on the time of a run', () => {
  it('stops the run when it is over', () => {
    let now = 5000
    const { stop } = timeLimit(350, () => now)
    now += 349_000
    expect(stop(step(9))).toBeUndefined()
    now += 2000
    expect(stop(step(9))).toBe('stop')
  })

  it('lets progress show the time that is left of it, where all steps take longer', async () => {
    let now = 0
    const reporter = { onEvent: vi.fn(), close: vi.fn() }
    const { within } = timeLimit(350, () => now)
    const shown = within(reporter)
    for (const at of [50, 340, 351]) {
      now = 1000 * at
      await shown.onEvent(step(600))
    }
    await shown.onEvent(step(0))
    expect(reporter.onEvent.mock.calls.map(([event]) => event.secondsLeft)).toEqual([300, 10, 0, 0])
    const end = { type: 'end', step: 1, reason: 'stopped' } as const
    await shown.onEvent(end)
    expect(reporter.onEvent).toHaveBeenLastCalledWith(end)
    await shown.close?.()
    expect(reporter.close).toHaveBeenCalledOnce()
  })
})
