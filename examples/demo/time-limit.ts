/** A limit on a run's time: what stops the run when it is over, and a progress that knows of it. */
import type { Callback, Reporter } from 'vsgrpo'

export interface TimeLimit {
  readonly stop: Callback
  /** The reporter, which hears of no more time left than the limit leaves: a run does not come to all of its steps. */
  readonly within: (reporter: Reporter) => Reporter
}

/** The time begins now; `now` is in milliseconds. */
export function timeLimit(seconds: number, now: () => number = () => performance.now()): TimeLimit {
  const end = now() + 1000 * seconds
  const left = (): number => Math.max(0, (end - now()) / 1000)
  return {
    stop: () => (now() > end ? 'stop' : undefined),
    within: (reporter) => ({
      onEvent: (event) =>
        reporter.onEvent(
          event.type === 'step' ? { ...event, secondsLeft: Math.min(event.secondsLeft, left()) } : event,
        ),
      close: () => reporter.close?.(),
    }),
  }
}
