/**
 * Ctrl-C, `kill`, a closed terminal: where there is something to finish, the first asks for an orderly end, and another ends
 * the process at once.
 */
import { AbortedError, errorCode, fromNative, isAbort, messageOf } from './errors.js'

/** The signals that ask for an end, with their exit codes; SIGTERM asks for what Ctrl-C does. */
const exitCodes = [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 130],
] as const

type SignalName = (typeof exitCodes)[number][0]

/** Runs `work` with a signal that the first SIGINT, SIGTERM or SIGHUP fires; a second SIGINT or SIGTERM ends the process. */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<T> {
  const controller = new AbortController()
  let request: AbortedError | undefined
  const deafen = listen((name, exitCode) => {
    if (request) {
      // Both the system and the shell tell of a closed terminal.
      if (name !== 'SIGHUP') process.exit(exitCode)
      return
    }
    request = new AbortedError(undefined, undefined, exitCode)
    controller.abort(request)
    say('\ninterrupted: finishing what is under way; once more ends at once')
  })
  const undo = outliveReaders()
  try {
    return await work(controller.signal)
  } catch (error) {
    if (!request || !isAbort(error)) throw error
    throw new AbortedError(messageOf(fromNative(error)), error, request.exitCode)
  } finally {
    deafen()
    // A stream tells of a failed write only after it.
    setImmediate(undo)
  }
}

/** Runs work that has nothing to finish: a signal ends the process, after what others have asked to be done at its exit. */
export async function endable<T>(work: () => Promise<T>): Promise<T> {
  const deafen = listen((_, exitCode) => process.exit(exitCode))
  try {
    return await work()
  } finally {
    deafen()
  }
}

/**
 * Lets the process outlive those who read what it says: what is written to a pipe whose reader has gone, or to a closed
 * terminal, is lost. Gives what undoes that.
 */
export function outliveReaders(): () => void {
  const onError = (error: Error): void => {
    if (!['EPIPE', 'EIO'].includes(errorCode(error) ?? '')) throw error
  }
  const streams = [process.stdout, process.stderr]
  for (const stream of streams) stream.on('error', onError)
  return () => {
    for (const stream of streams) stream.off('error', onError)
  }
}

/** Gives what ends the listening. */
function listen(onSignal: (name: SignalName, exitCode: number) => void): () => void {
  const listeners = exitCodes.map(([name, code]) => ({ name, listener: () => onSignal(name, code) }))
  for (const { name, listener } of listeners) process.on(name, listener)
  return () => {
    for (const { name, listener } of listeners) process.off(name, listener)
  }
}
