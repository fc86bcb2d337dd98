/**
 * Every error that vsgrpo throws on purpose. Level 0: imports nothing.
 * `message` says where, what was expected and what came; `hint` is the cure when there is one; `code` is stable.
 */

export type ErrorCode =
  | 'ERR_VSGRPO_INPUT'
  | 'ERR_VSGRPO_CONFIG'
  | 'ERR_VSGRPO_DATA'
  | 'ERR_VSGRPO_CHECKPOINT'
  | 'ERR_VSGRPO_NATIVE_MISSING'
  | 'ERR_VSGRPO_NATIVE_MISMATCH'
  | 'ERR_VSGRPO_NO_CUDA'
  | 'ERR_VSGRPO_SETUP'
  | 'ERR_VSGRPO_REWARD'
  | 'ERR_VSGRPO_SAVE'
  | 'ERR_VSGRPO_OOM'
  | 'ERR_VSGRPO_DISPOSED'
  | 'ERR_VSGRPO_ABORTED'
  | 'ERR_VSGRPO_NUMERICS'
  | 'ERR_VSGRPO_INTERNAL'

export interface ErrorDetails {
  readonly code: ErrorCode
  /** What to do about it: one sentence, or a command. */
  readonly hint?: string
  readonly cause?: unknown
}

/** A failure that vsgrpo foresaw. The command line prints it in one line and exits with 1. */
export class VsgrpoError extends Error {
  override readonly name: string = 'VsgrpoError'
  readonly code: ErrorCode
  readonly hint?: string

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = details.code
    if (details.hint !== undefined) this.hint = details.hint
  }
}

/** Bad input or usage: the message names the file, line or field, and the cure. The command line exits with 2. */
export class InputError extends VsgrpoError {
  override readonly name = 'InputError'

  constructor(message: string, details: Partial<ErrorDetails> = {}) {
    super(message, { ...details, code: details.code ?? 'ERR_VSGRPO_INPUT' })
  }
}

/** A file or row of data is not as it should be; the message starts with the place. */
export function dataError(message: string, cause?: unknown): InputError {
  return new InputError(message, { code: 'ERR_VSGRPO_DATA', cause })
}

/** The run was stopped by its AbortSignal. `exitCode` is the command line's: 128 and the number of the system's signal. */
export class AbortedError extends VsgrpoError {
  override readonly name = 'AbortedError'

  constructor(
    message = 'the run was interrupted',
    cause?: unknown,
    readonly exitCode = 130,
  ) {
    super(message, { code: 'ERR_VSGRPO_ABORTED', cause })
  }
}

/** The text of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What JSON.parse threw, on one line: it quotes the text, whatever is in it. */
export function parserWords(error: unknown): string {
  return messageOf(error).replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
}

/** What another program or a library said, without what it adds below. */
export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}

/** The system's code of an error (`ENOENT`, …), or undefined. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const systemWords: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'that is a folder',
  ENOTDIR: 'a part of that path is a file',
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
}

/** Why a file could not be read, in words where the system's code is a common one. */
export function systemCause(error: unknown): string {
  return systemWords[errorCode(error) ?? ''] ?? messageOf(error)
}

/** Whether an error means "stopped on request": ours, a DOMException named AbortError, or the addon's code ABORTED. */
export function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return error instanceof AbortedError || error.name === 'AbortError' || code === 'ABORTED'
}

const badCheckpoint = {
  code: 'ERR_VSGRPO_CHECKPOINT',
  hint: 'Fetch the model again, or name the folder that these files belong to.',
  input: true,
} as const

/** What the addon's codes mean: bad input, or a failure, and the cure that goes with it. */
const nativeCodes: Readonly<Record<string, { code: ErrorCode; hint?: string; input?: true }>> = {
  // The message names the option, its range and what came.
  BAD_ARGUMENT: { code: 'ERR_VSGRPO_INPUT', input: true },
  BAD_CHECKPOINT: badCheckpoint,
  // The engine reads no JSON but a checkpoint's.
  BAD_JSON: badCheckpoint,
  IO: { code: 'ERR_VSGRPO_SAVE', hint: 'Free some space or choose another folder; what was saved before is whole.' },
  OUT_OF_MEMORY: {
    code: 'ERR_VSGRPO_OOM',
    hint: 'Lower tokensPerMicroBatch or the number of generations, or use smaller frames.',
  },
  NUMERICS: { code: 'ERR_VSGRPO_NUMERICS' },
  DISPOSED: { code: 'ERR_VSGRPO_DISPOSED' },
  // The message has the cure in it: it depends on what is missing.
  NO_CUDA: { code: 'ERR_VSGRPO_NO_CUDA' },
}

/** An error of the addon as one of ours, with its own as the cause; anything else as it is. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof VsgrpoError || !('code' in error)) return error
  if (error.code === 'ABORTED') return new AbortedError(undefined, error)
  const known = Object.hasOwn(nativeCodes, String(error.code)) ? nativeCodes[String(error.code)] : undefined
  if (!known) return error
  const { input, ...details } = known
  return new (input ? InputError : VsgrpoError)(inBytes(error.message), { ...details, cause: error })
}

/** The CPU's allocator gives its place in the source and the bytes it did not get; other messages are as they are. */
function inBytes(message: string): string {
  const [, bytes] = /DefaultCPUAllocator: .*tried to allocate (\d+) bytes/.exec(message) ?? []
  return bytes === undefined ? message : `out of memory: ${(Number(bytes) / 1e9).toFixed(1)} GB more are not to be had`
}

/** How `didYouMean` tells the known names. */
export interface KnownNames {
  /** All of them, told where none is near. Default: nothing is told then. */
  readonly all?: string
  /** A known name as it is written where the mistake stands. Default: as it is known. */
  readonly written?: (name: string) => string
}

/** What an error says of an unknown name after what it was: the known name nearest to it, if there is one. */
export function didYouMean(name: unknown, known: readonly string[], { all, written }: KnownNames = {}): string {
  const meant = typeof name === 'string' ? nearest(name, known) : undefined
  if (meant !== undefined) return `; did you mean ${written ? written(meant) : meant}?`
  return all === undefined ? '' : `; expected one of ${all}`
}

/** The candidate nearest to a mistyped name (edit distance up to a third of its length), or undefined. */
function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions, substitutions and swaps of neighbours between two strings. */
function editDistance(a: string, b: string): number {
  let twoBack: number[] = []
  let back = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitute = (back[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let cost = Math.min((back[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitute)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (twoBack[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    twoBack = back
    back = row
  }
  return back[b.length] ?? 0
}
