/**
 * The status block of a run on a terminal. At most ten redraws a second; what others write meanwhile goes above it; the
 * cursor is given back however the process ends.
 */
import type { TrainEvent } from '../train/events.js'
import { holdWrites, type WritableStream } from './hold-writes.js'
import type { Reporter } from './reporter.js'
import { absorb, blockLines, fresh, tinted } from './status.js'

export interface BlockStream extends WritableStream {
  readonly isTTY?: boolean
  /** Of the terminal; 80 where it does not say. */
  readonly columns?: number
  readonly rows?: number
}

export interface BlockOptions {
  /** Milliseconds. */
  readonly now: () => number
  readonly color: boolean
  /** Other streams that write to the same terminal. */
  readonly beside: readonly WritableStream[]
}

const redrawMs = 100

export function statusBlock(stream: BlockStream, { now, color, beside }: BlockOptions): Reporter {
  const state = fresh(now())
  let drawn: string[] = []
  let drawnAt = Number.NEGATIVE_INFINITY
  let ticking: NodeJS.Timeout | undefined
  let release: (() => void) | undefined
  let write = (text: string): void => void stream.write(text)
  let closed = false

  const columns = (): number => Math.max(20, stream.columns || 80)
  const up = (): string => {
    // Lines may wrap when the terminal has become narrower since they were drawn.
    const height = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns())), 0)
    return height > 0 ? `\u001b[${height}A\r` : '\r'
  }
  const draw = (above = ''): void => {
    const before = up()
    // What has scrolled out at the top could not be taken back.
    drawn = blockLines(state, columns() - 1, now()).slice(0, Math.max(1, (stream.rows || 24) - 1))
    drawnAt = now()
    const block = drawn.map((line, i) => `${color ? tinted(line, i) : line}\n`).join('')
    // Written over line by line: a block that is cleared first flickers, and fills the history of some terminals.
    write(`${before}${`${above}${block}`.replaceAll('\n', '\u001b[K\n')}\u001b[J`)
  }
  const restore = (): void => {
    write('\u001b[?25h')
  }
  const open = (): void => {
    if (ticking) return
    write('\u001b[?25l')
    const held = holdWrites([stream, ...beside], draw)
    write = held.write
    release = held.release
    process.once('exit', restore)
    ticking = setInterval(draw, 1000)
    ticking.unref()
  }
  return {
    onEvent(event: TrainEvent): void {
      if (closed) return
      open()
      absorb(state, event, now())
      if (event.type === 'warning') draw(`${color ? '\u001b[33mwarning:\u001b[39m' : 'warning:'} ${event.message}\n`)
      else if (event.type !== 'step' || now() - drawnAt >= redrawMs || state.step === state.totalSteps) draw()
    },
    close(): void {
      if (closed) return
      closed = true
      clearInterval(ticking)
      process.removeListener('exit', restore)
      release?.()
      if (ticking) restore()
    },
  }
}
