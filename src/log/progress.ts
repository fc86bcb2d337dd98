/** Progress for people: a status block that is redrawn in place on a terminal, plain lines every few seconds elsewhere. */
import type { TrainEvent } from '../train/events.js'
import { duration, short } from './format.js'
import type { Reporter } from './reporter.js'
import { absorb, fresh, values } from './status.js'
import { type BlockStream, statusBlock } from './status-block.js'

/** What `progress` needs of a stream: `process.stderr` has it. */
export type ProgressStream = BlockStream

export interface ProgressOptions {
  /** Milliseconds. Default: the clock. */
  readonly now?: () => number
  /** `NO_COLOR` and `TERM=dumb` are respected. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Seconds between plain lines. Default 5. */
  readonly plainSeconds?: number
}

/** Shows a run on a stream (a terminal or a log), by default stderr. */
export function progress(stream: ProgressStream = process.stderr, options: ProgressOptions = {}): Reporter {
  const env = options.env ?? process.env
  const terminal = stream.isTTY === true && env.TERM !== 'dumb'
  const now = options.now ?? (() => Date.now())
  // Rewards print to stdout, which is the same terminal more often than not.
  const beside = stream === process.stderr && process.stdout.isTTY ? [process.stdout] : []
  return terminal
    ? statusBlock(stream, { now, color: !env.NO_COLOR, beside })
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
