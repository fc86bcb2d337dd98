/**
 * Progress for people: a status block that is redrawn in place on a terminal, plain lines every few seconds elsewhere.
 * At most ten redraws a second; the cursor is given back however the process ends.
 */
import type { TrainEvent } from '../train/events.js'
import { duration, short } from './format.js'
import type { Reporter } from './reporter.js'
import { absorb, blockLines, fresh, tinted, values } from './status.js'

/** What `progress` needs of a stream: `process.stderr` has it. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface ProgressOptions {
  /** Milliseconds. Default: the clock. */
  readonly now?: () => number
  /** `NO_COLOR` and `TERM=dumb` are respected. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Seconds between plain lines. Default 5. */
  readonly plainSeconds?: number
}

const redrawMs = 100

/** Shows a run on a stream (a terminal or a log), by default stderr. */
export function progress(stream: ProgressStream = process.stderr, options: ProgressOptions = {}): Reporter {
  const env = options.env ?? process.env
  const terminal = stream.isTTY === true && env.TERM !== 'dumb'
  const now = options.now ?? (() => Date.now())
  return terminal
    ? statusBlock(stream, now, !env.NO_COLOR)
    : plainLines(stream, now, (options.plainSeconds ?? 5) * 1000)
}

function plainLines(stream: ProgressStream, now: () => number, everyMs: number): Reporter {
  const state = fresh(now())
  let shownAt = Number.NEGATIVE_INFINITY
  let shownStep = -1
  const say = (text: string): void => {
    stream.write(`${text}\n`)
  }
  const showStep = (): void => {
    if (!state.last || shownStep === state.step) return
    shownAt = now()
    shownStep = state.step
    const { metrics, tokensPerSecond, secondsLeft } = state.last
    say(
      `step ${state.step}/${state.totalSteps}  ${values(metrics)}  ${short(tokensPerSecond)} tokens/s  ${duration(secondsLeft)} left`,
    )
  }
  return {
    onEvent(event: TrainEvent): void {
      absorb(state, event, now())
      if (event.type === 'start')
        say(`training for ${state.totalSteps} steps${event.step > 0 ? `, going on from step ${event.step}` : ''}`)
      if (event.type === 'step' && now() - shownAt >= everyMs) showStep()
      if (event.type === 'eval') say(`eval at step ${event.step}  ${values(event.metrics, 'eval_')}`)
      if (event.type === 'checkpoint') say(state.note)
      if (event.type === 'warning') say(`warning: ${event.message}`)
      if (event.type === 'end') {
        showStep()
        say(state.note)
      }
    },
  }
}

function statusBlock(stream: ProgressStream, now: () => number, color: boolean): Reporter {
  const state = fresh(now())
  let drawn: string[] = []
  let drawnAt = Number.NEGATIVE_INFINITY
  let ticking: NodeJS.Timeout | undefined
  let closed = false

  const columns = (): number => Math.max(20, stream.columns ?? 80)
  const erase = (): string => {
    // Lines may wrap when the terminal has become narrower since they were drawn.
    const height = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns())), 0)
    return height > 0 ? `\u001b[${height}A\r\u001b[J` : ''
  }
  const draw = (above = ''): void => {
    const before = erase()
    drawn = blockLines(state, columns() - 1, now())
    drawnAt = now()
    stream.write(`${before}${above}${drawn.map((line, i) => `${color ? tinted(line, i) : line}\n`).join('')}`)
  }
  const restore = (): void => {
    stream.write('\u001b[?25h')
  }
  const open = (): void => {
    if (ticking) return
    stream.write('\u001b[?25l')
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
      if (ticking) restore()
    },
  }
}
