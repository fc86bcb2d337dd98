/** What trainers read: rows by index. Any object with these two members is a dataset; an array is one `fromArray` away. */
import type { Example } from '../types.js'

export interface Dataset {
  readonly length: number
  /** Row `index` (0 <= index < length); the same row at every call. */
  get(index: number): Example
  /** Where a row comes from, for error messages: `questions.jsonl:12`. */
  where?(index: number): string
  /** The files that rows come from, absolute; a run's config.json names them. */
  readonly files?: readonly string[]
}

/** Where a row stands, to begin an error message with. */
export function placeOf(dataset: Dataset, index: number): string {
  return dataset.where?.(index) ?? `example ${dataset.get(index).id ?? index}`
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

/** Several datasets as one, in order. */
export function concat(parts: readonly Dataset[]): Dataset {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const find = (index: number): { part: Dataset; own: number } => {
    let own = index
    for (const part of parts) {
      if (own >= 0 && own < part.length) return { part, own }
      own -= part.length
    }
    throw new RangeError(`[dataset] expected an index below ${length}, got ${index}`)
  }
  return {
    length,
    files: [...new Set(parts.flatMap((part) => part.files ?? []))],
    get(index) {
      const { part, own } = find(index)
      return part.get(own)
    },
    where(index) {
      const { part, own } = find(index)
      return part.where?.(own) ?? `row ${index + 1}`
    },
  }
}
