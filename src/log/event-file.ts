/**
 * TensorBoard's event files. Events are on disk as whole records: an append that fails half-way is taken back, and a
 * process that is killed leaves at worst a torn last record, which readers skip.
 */
import { appendFileSync, closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errorCode, saving } from './atomic.js'
import { type EventContent, eventRecord } from './event-record.js'

export class EventFile {
  readonly file: string
  private readonly descriptor: number
  private open = true

  /** Makes a new file in `dir`, named after the second, the machine and the process. `now`: milliseconds since 1970. */
  constructor(
    dir: string,
    private readonly now: () => number,
  ) {
    const opened = saving(dir, () => {
      mkdirSync(dir, { recursive: true })
      return openNew(join(dir, stem(now())))
    })
    this.file = opened.file
    this.descriptor = opened.descriptor
    this.append(0, [{ kind: 'version' }])
  }

  /** Appends events of a step in one write; on an error the file is as it was before. */
  append(step: number, contents: readonly EventContent[]): void {
    const stamp = { wallTime: this.now() / 1000, step }
    const bytes = Buffer.concat(contents.map((content) => eventRecord(content, stamp)))
    const { size } = fstatSync(this.descriptor)
    saving(this.file, () => {
      try {
        appendFileSync(this.descriptor, bytes)
      } catch (error) {
        ftruncateSync(this.descriptor, size)
        throw error
      }
    })
  }

  /** Waits until the events are on the disk itself. */
  flush(): void {
    saving(this.file, () => fsyncSync(this.descriptor))
  }

  close(): void {
    if (!this.open) return
    this.open = false
    closeSync(this.descriptor)
  }
}

/** Readers take the files of a folder in the order of their names. */
function stem(now: number): string {
  const seconds = String(Math.floor(now / 1000)).padStart(10, '0')
  return `events.out.tfevents.${seconds}.${hostname()}.${process.pid}`
}

/** Opens `<path>.<n>` with the first n that is free: a file of another run is never touched. */
function openNew(path: string, n = 0): { file: string; descriptor: number } {
  const file = `${path}.${n}`
  try {
    return { file, descriptor: openSync(file, 'ax') }
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return openNew(path, n + 1)
    throw error
  }
}
