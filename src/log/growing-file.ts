/** A file that only grows: an append is on disk as a whole, or taken back. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync } from 'node:fs'
import { saving, writeFully } from '../atomic-file.js'

export class GrowingFile {
  private open = true

  /** `descriptor` is open for appending; errors name `file`. */
  constructor(
    private readonly file: string,
    private readonly descriptor: number,
  ) {}

  /** In one write; on an error the file is as it was before. */
  append(content: string | Buffer): void {
    const { size } = fstatSync(this.descriptor)
    saving(this.file, () => {
      try {
        writeFully(this.descriptor, content)
      } catch (error) {
        if (fstatSync(this.descriptor).size > size) ftruncateSync(this.descriptor, size)
        throw error
      }
    })
  }

  /** Waits until what was appended is on the disk itself. */
  flush(): void {
    saving(this.file, () => fsyncSync(this.descriptor))
  }

  close(): void {
    if (!this.open) return
    this.open = false
    closeSync(this.descriptor)
  }
}
