/** What trainers read: rows by index. Any object with these two members is a dataset; an array is one `fromArray` away. */
import type { Example } from '../types.js'

export interface Dataset {
  readonly length: number
  /** Row `index` (0 <= index < length); the same row at every call. */
  get(index: number): Example
  /** Where a row comes from, for error messages: `questions.jsonl:12`. */
  where?(index: number): string
}

/** A dataset over rows in memory. */
export function fromArray(rows: readonly Example[]): Dataset {
  return {
    length: rows.length,
    get(index) {
      const row = rows[index]
      if (!row) throw new RangeError(`[dataset] expected an index below ${rows.length}, got ${index}`)
      return row
    },
  }
}
