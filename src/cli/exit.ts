/** What an error means to the shell: its exit code, and the lines that are printed for it. */
import { CommanderError } from 'commander'
import { AbortedError, fromNative, InputError, isAbort, messageOf, VsgrpoError } from '../errors.js'

/** 0 help and version, 130 interrupted (129 by a closed terminal), 2 usage or bad input, 1 everything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (isAbort(error)) return error instanceof AbortedError ? error.exitCode : 130
  return fromNative(error) instanceof InputError ? 2 : 1
}

/** One line for what was foreseen, with its cure; the stack only for a defect, or when VSGRPO_DEBUG is set. */
export function reportError(thrown: unknown, write: (line: string) => void, env: NodeJS.ProcessEnv): void {
  if (thrown instanceof CommanderError) return // commander has printed it
  const error = fromNative(thrown)
  if (isAbort(error)) {
    write(`interrupted: ${messageOf(error)}`)
    return
  }
  write(`error: ${lineOf(error)}`)
  if (error instanceof VsgrpoError && !env.VSGRPO_DEBUG) return
  if (error instanceof Error && error.stack) write(error.stack)
  if (error instanceof Error && error.cause) write(`caused by: ${stackOf(error.cause)}`)
}

function stackOf(error: unknown): string {
  return (error instanceof Error && error.stack) || messageOf(error)
}

/** What happened and its cure. */
function lineOf(error: unknown): string {
  const message = messageOf(error)
  const hint = error instanceof VsgrpoError ? error.hint : undefined
  if (!hint || message.includes(hint)) return message
  return /[.!?]$/.test(message) ? `${message} ${hint}` : `${message}. ${hint}`
}
