/**
 * Files that are whole or not there: written beside their place under a temporary name, flushed, then renamed.
 * A failed write leaves an older file of that name as it was.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { errorCode, VsgrpoError } from './errors.js'

/**
 * Writes a whole file, given at once or piece by piece; throws a `VsgrpoError` that names the file when the disk refuses
 * (full, read-only, …).
 */
export function writeAtomically(
  file: string,
  content: string | Uint8Array | ((write: (text: string) => void) => void),
): void {
  const output = new AtomicFile(file)
  try {
    if (typeof content === 'function') content((text) => output.write(text))
    else output.write(content)
    output.commit()
  } catch (error) {
    output.discard()
    throw error
  }
}

/** A file that appears at its place, complete, at `commit()`; `discard()` leaves no trace of it. */
export class AtomicFile {
  private readonly temporary: string
  private readonly descriptor: number
  private open = true

  constructor(readonly file: string) {
    this.temporary = `${file}.${process.pid}.tmp`
    this.descriptor = saving(file, () => {
      mkdirSync(dirname(file), { recursive: true })
      return openSync(this.temporary, 'w')
    })
  }

  write(content: string | Uint8Array): void {
    saving(this.file, () => writeFully(this.descriptor, content))
  }

  commit(): void {
    saving(this.file, () => {
      fsyncSync(this.descriptor)
      this.close()
      renameSync(this.temporary, this.file)
    })
  }

  /** After `commit()` it does nothing. */
  discard(): void {
    this.close()
    rmSync(this.temporary, { force: true })
  }

  private close(): void {
    if (!this.open) return
    this.open = false
    closeSync(this.descriptor)
  }
}

/** `writeSync` may write less than it was given: goes on until all is out. */
export function writeFully(descriptor: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done)
}

/** Runs a step of saving `file`, and turns what the system says into an error that names the file and the cure. */
export function saving<T>(file: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw savingError(file, error)
  }
}

/** Throws the same where a file or folder of that name could not be made: before the work that would be lost. */
export function checkWritable(file: string): void {
  saving(file, () => accessSync(nearestFolder(file), constants.W_OK))
}

function nearestFolder(path: string): string {
  const folder = resolve(path)
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder))
}

const cures: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space and go on with --resume; what was saved before is whole',
  EDQUOT: 'the disk quota is used up: free some space and go on with --resume; what was saved before is whole',
  EACCES: 'no permission to write there: choose another folder or change its permissions',
  EROFS: 'that disk is read-only: choose another folder',
  ENOTDIR: 'a part of that path is a file: choose another folder',
  EEXIST: 'a part of that path is a file: choose another folder',
  EISDIR: 'that is a folder: name a file in it',
  EFBIG: 'the file would be larger than this system allows: raise `ulimit -f`; what was saved before is whole',
}

/** The addon reports the system's words, not its code. */
const inWords: Record<string, string> = {
  'No space left on device': 'ENOSPC',
  'Disk quota exceeded': 'EDQUOT',
  'File too large': 'EFBIG',
}

/** What the system said when `file` was to be saved, as an error that names the file and the cure. */
export function savingError(file: string, error: unknown): VsgrpoError {
  const cause = error instanceof Error ? error.message : String(error)
  const words = Object.keys(inWords).find((text) => cause.endsWith(text))
  const code = words ? inWords[words] : (errorCode(error) === 'ENOENT' && refusal(file)) || errorCode(error)
  return new VsgrpoError(`cannot write ${file}: ${(code && cures[code]) || cause}`, {
    code: 'ERR_VSGRPO_SAVE',
    cause: error,
  })
}

/** Node says of folders that cannot be made on a read-only disk that they are not there. */
function refusal(file: string): string | undefined {
  try {
    accessSync(nearestFolder(file), constants.W_OK)
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}
