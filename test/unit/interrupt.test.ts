/** Signals while work is under way: what the first and the next ones do, and that nobody needs to read what is said. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit.js'
import { endable, interruptible } from '../../src/interrupt.js'

const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
const say = vi.fn()
afterEach(() => vi.clearAllMocks())

/** Work that goes on until its signal fires, or until it is told to end. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

function listeners(): number[] {
  return [
    ...['SIGHUP', 'SIGINT', 'SIGTERM'].map((name) => process.listenerCount(name)),
    ...[process.stdout, process.stderr].map((stream) => stream.listenerCount('error')),
  ]
}

function failed(code: string): Error {
  return Object.assign(new Error(`write ${code}`), { code })
}

describe('interruptible work', () => {
  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 130],
  ])('is asked to end by %s, which makes the exit code %i', async (name, code) => {
    const before = listeners()
    const ended = interruptible(untilAborted, say).catch((error: unknown) => error)
    process.emit(name as 'SIGINT')
    const error = await ended
    expect(exitCodeOf(error)).toBe(code)
    expect(say).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/interrupted: finishing what is under way/))
    expect(exit).not.toHaveBeenCalled()
    await new Promise(setImmediate)
    expect(listeners()).toEqual(before)
  })

  it('has the exit code of its signal also where what it threw does not know of that', async () => {
    const ended = interruptible(async (signal) => {
      await untilAborted(signal).catch(() => {})
      throw Object.assign(new Error('stopped by request'), { code: 'ABORTED' })
    }, say).catch((error: unknown) => error)
    process.emit('SIGHUP')
    expect(exitCodeOf(await ended)).toBe(129)
  })

  it('throws what went wrong meanwhile as it is', async () => {
    const wrong = new RangeError('full')
    const ended = interruptible(async (signal) => {
      await untilAborted(signal).catch(() => {})
      throw wrong
    }, say).catch((error: unknown) => error)
    process.emit('SIGINT')
    expect(await ended).toBe(wrong)
  })

  it('ends at once at a second signal, but for SIGHUP: shell and system may both send it', async () => {
    const ended = interruptible(async (signal) => {
      await untilAborted(signal).catch(() => {})
      process.emit('SIGHUP')
      process.emit('SIGHUP')
      expect(exit).not.toHaveBeenCalled()
      process.emit('SIGTERM')
      expect(exit).toHaveBeenCalledExactlyOnceWith(130)
    }, say)
    process.emit('SIGHUP')
    await ended
    expect(say).toHaveBeenCalledTimes(1)
  })

  it('goes on when nobody reads what is said any more', async () => {
    await interruptible(async () => {
      process.stderr.emit('error', failed('EPIPE'))
      process.stdout.emit('error', failed('EIO'))
      expect(() => process.stderr.emit('error', failed('ENOSPC'))).toThrow('write ENOSPC')
    }, say)
  })
})

describe('endable work', () => {
  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 130],
  ])('is ended by %s with exit code %i', async (name, code) => {
    await endable(async () => void process.emit(name as 'SIGINT'))
    expect(exit).toHaveBeenCalledExactlyOnceWith(code)
  })
})
