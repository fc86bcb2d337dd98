/**
 * TensorBoard's event files. Events are on disk as whole records: an append that fails half-way is taken back, and a
 * process that is killed leaves at worst a torn last record, which readers skip.
 */
import { mkdirSync, openSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { saving } from '../atomic-file.js'
import { errorCode } from '../errors.js'
import { type EventContent, eventRecord } from './event-record.js'
import { GrowingFile } from './growing-file.js'

export class EventFile {
  private readonly growing: GrowingFile

  /** Makes a new file in `dir`, named after the second, the machine and the process. `now`: milliseconds since 1970. */
  constructor(
    dir: string,
    private readonly now: () => number,
  ) {
    const { file, descriptor } = saving(dir, () => {
      mkdirSync(dir, { recursive: true })
      return openNew(join(dir, stem(now())))
    })
    this.growing = new GrowingFile(file, descriptor)
    this.append(0, [{ kind: 'version' }])
  }

  /** Appends events of a step in one write; on an error the file is as it was before. */
  append(step: number, contents: readonly EventContent[]): void {
    const stamp = { wallTime: this.now() / 1000, step }
    this.growing.append(Buffer.concat(contents.map((content) => eventRecord(content, stamp))))
  }

  /** Waits until the events are on the disk itself. */
  flush(): void {
    this.growing.flush()
  }

  close(): void {
    this.growing.close()
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
