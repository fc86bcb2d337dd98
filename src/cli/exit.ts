/** What an error means to the shell: its exit code, and the lines that are printed for it. */
import { CommanderError } from 'commander'
import { InputError, isAbort, messageOf, VsgrpoError } from '../errors.js'

/** 0 help and version, 130 interrupted, 2 usage or bad input, 1 everything else. */
export function exitCodeOf(error: unknown): 0 | 1 | 2 | 130 {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (isAbort(error)) return 130
  return error instanceof InputError ? 2 : 1
}

/** One line for what was foreseen, with its cure; the stack only for a defect, or when VSGRPO_DEBUG is set. */
export function reportError(error: unknown, write: (line: string) => void, env: NodeJS.ProcessEnv): void {
  if (error instanceof CommanderError) return // commander has printed it
  if (isAbort(error)) {
    write(`interrupted: ${messageOf(error)}`)
    return
  }
  write(`error: ${messageOf(error)}`)
  if (error instanceof VsgrpoError) {
    if (error.hint && !error.message.includes(error.hint)) write(error.hint)
    if (!env.VSGRPO_DEBUG) return
  }
  if (error instanceof Error && error.stack) write(error.stack)
  if (error instanceof Error && error.cause) write(`caused by: ${messageOf(error.cause)}`)
}
