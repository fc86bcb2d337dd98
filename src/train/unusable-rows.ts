/** What becomes of rows that cannot be trained on or evaluated: they stop the run, or are left out and counted. */
import { InputError, messageOf } from '../errors.js'
import type { Prompt } from '../types.js'
import type { TrainingValues } from './config.js'
import type { Meter } from './meter.js'

/** Reads rows; those that throw an InputError stop the run or are left out, counted as `skipped_rows` and warned of. */
export async function readRows<T>(
  indices: readonly number[],
  read: (index: number) => Promise<T>,
  { onUnusableRow, meter }: { onUnusableRow: TrainingValues['onUnusableRow']; meter?: Meter },
): Promise<{ readonly rows: T[]; readonly warnings: string[] }> {
  const settled = await Promise.allSettled(indices.map(read))
  const rows = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const faults = settled.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []))
  const worst = faults.find((fault) => onUnusableRow === 'stop' || !(fault instanceof InputError))
  if (worst !== undefined) throw worst
  if (onUnusableRow === 'skip') meter?.sum('skipped_rows', faults.length)
  if (faults.length === 0) return { rows, warnings: [] }
  const [first] = faults
  return { rows, warnings: [`${faults.length} of ${indices.length} rows are left out; the first: ${messageOf(first)}`] }
}

export function unusable(message: string): InputError {
  return new InputError(message, {
    code: 'ERR_VSGRPO_DATA',
    hint: "Fix the row, or leave it out: onUnusableRow 'skip'.",
  })
}

/** The prompts of the usable rows among the indices. */
export async function readPrompts(
  indices: readonly number[],
  encode: (index: number) => Promise<Prompt>,
  options: { onUnusableRow: TrainingValues['onUnusableRow']; meter?: Meter },
): Promise<{ indices: readonly number[]; encode: (index: number) => Promise<Prompt>; warnings: readonly string[] }> {
  const read = async (index: number) => ({ index, prompt: await encode(index) })
  const { rows, warnings } = await readRows(indices, read, options)
  // Kept, as the caller's cache may have let go of the first when the last is read.
  const prompts = new Map(rows.map(({ index, prompt }) => [index, prompt]))
  const known = async (index: number) => prompts.get(index) ?? encode(index)
  return { indices: rows.map(({ index }) => index), encode: known, warnings }
}
