/**
 * Files in a zip archive, taken out one at a time: the archive's directory is read, nothing else is unpacked. An archive whose
 * directory names a place outside of it (`..`, an absolute path) is refused as a whole; what is taken out is checked against
 * the size and the CRC-32 that the directory gives.
 */
import { createWriteStream, rmSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { AbortedError, dataError, type InputError, messageOf } from '../errors.js'

export class ZipArchive {
  private constructor(
    readonly path: string,
    private readonly file: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** Reads the directory. Throws an InputError that names the archive when it is cut off, no zip, or unsafe. Close it after use. */
  static async open(path: string): Promise<ZipArchive> {
    const file = await reading(path, () => openPromise(path, { autoClose: false }))
    try {
      return new ZipArchive(path, file, await reading(path, () => directoryOf(file)))
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Paths of the files in the archive. */
  get names(): readonly string[] {
    return [...this.entries.keys()]
  }

  /** Writes one file of the archive to `target`; on any failure nothing is left there. */
  async extract(name: string, target: string, signal?: AbortSignal): Promise<void> {
    const where = `${this.path}: ${name}`
    const entry = this.entries.get(name)
    if (entry === undefined) throw damaged(where, 'there is no such file in the archive')
    if (entry.isEncrypted()) throw damaged(where, 'it is encrypted; give an archive without a password')
    if (!entry.canDecodeFileData()) {
      throw damaged(where, `its compression method ${entry.compressionMethod} is none of 0 (stored), 8 (deflate)`)
    }
    const source = await reading(where, () => this.file.openReadStreamPromise(entry))
    const output = createWriteStream(target)
    try {
      await reading(where, () => pipeline(source, checking(entry), output, { signal }))
    } catch (error) {
      // A file that is still being opened would appear after it was removed.
      if (!output.closed) await new Promise<void>((done) => output.once('close', () => done()))
      rmSync(target, { force: true })
      throw signal?.aborted ? new AbortedError(undefined, error) : error
    }
  }

  close(): void {
    this.file.close()
  }
}

async function directoryOf(file: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  for await (const entry of file.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue
    if (entries.has(entry.fileName)) throw new Error(`it holds ${entry.fileName} twice`)
    entries.set(entry.fileName, entry)
  }
  return entries
}

/** Passes a file's bytes on, and fails at their end when they are not those that the archive was made of. */
function checking(entry: Entry): (source: Readable) => AsyncGenerator<Buffer> {
  return async function* (source) {
    let [sum, size] = [0, 0]
    for await (const chunk of source as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum)
      size += chunk.length
      yield chunk
    }
    if (size !== entry.uncompressedSize) throw new Error(`expected ${entry.uncompressedSize} bytes, got ${size}`)
    if (sum !== entry.crc32) throw new Error('its bytes are not those that were packed (CRC-32 differs)')
  }
}

async function reading<T>(where: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    // A full disk is not the archive's fault.
    if (error instanceof Error && 'syscall' in error)
      throw damaged(where, `cannot be unpacked: ${error.message}`, error)
    throw damaged(where, `expected a whole and safe zip archive: ${messageOf(error)}; fetch it again`, error)
  }
}

function damaged(where: string, what: string, cause?: unknown): InputError {
  return dataError(`${where}: ${what}`, cause)
}
