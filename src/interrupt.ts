/** Ctrl-C: where there is something to finish, the first asks for an orderly end, and the second ends the process at once. */
import { AbortedError } from './errors.js'

/** Runs `work` with a signal that the first SIGINT or SIGTERM fires; a second one exits with 130. */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<T> {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new AbortedError())
    say('\ninterrupted: finishing what is under way; once more ends at once')
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Runs work that has nothing to finish: a signal ends the process, after what others have asked to be done at its exit. */
export async function endable<T>(work: () => Promise<T>): Promise<T> {
  const onSignal = (): never => process.exit(130)
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await work()
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}
