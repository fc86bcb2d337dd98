/** How long a dataset's prompts and answers are, from some of its rows, read as a run reads them. */
import { type Dataset, placeOf } from '../data/dataset.js'
import { InputError } from '../errors.js'
import type { Processor } from '../processing/index.js'
import { answerOf } from '../train/dpo/pairs.js'
import { mediaPaths } from '../train/media-paths.js'
import { countTurns } from '../train/sft/assistant-turns.js'
import type { Example, Prompt } from '../types.js'
import type { PromptSize } from './workload.js'

/** Sizes of a dataset's rows. */
export interface RowSizes {
  /** Rows that were read. */
  readonly rows: number
  /** Each size of whichever row has most of it: what memory has to hold. */
  readonly longest: RowSize
  /** What time adds up to. */
  readonly mean: RowSize
  /** Different images and videos, or combinations of them, in the whole dataset. */
  readonly media: number
}

export interface RowSize {
  readonly prompt: PromptSize
  /** Tokens of the longest answer that the row gives, its end included; 0 without. */
  readonly answer: number
  /** Turns of the assistant in the prompt. */
  readonly turns: number
}

/** Rows that are read: their media are decoded, which takes time. */
const sampleSize = 8
/** Rows that are looked through for equal media; further rows count as different. */
const rowsCompared = 5000

/** What a dataset is measured for. */
export interface Measured {
  /** Columns with given answers. */
  readonly answers: readonly string[]
  /** 'skip': rows that cannot be read are left out here too. */
  readonly onUnusableRow: 'stop' | 'skip'
}

/** Reads rows spread evenly over the dataset. Throws an InputError that names a row which cannot be read. */
export async function measureRows(dataset: Dataset, processor: Reader, measured: Measured): Promise<RowSizes> {
  const count = Math.min(sampleSize, dataset.length)
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * dataset.length) / count))
  const sizes: RowSize[] = []
  let fault: unknown
  // One after another: the pixels of one row at a time are enough.
  for (const index of indices) {
    try {
      sizes.push(await measureRow(dataset, index, processor, measured.answers))
    } catch (error) {
      if (measured.onUnusableRow === 'stop' || !(error instanceof InputError)) throw error
      fault ??= error
    }
  }
  if (sizes.length === 0 && fault !== undefined) throw fault
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
  return {
    rows: sizes.length,
    longest: combine(sizes, (values) => Math.max(0, ...values)),
    mean: combine(sizes, (values) => Math.round(mean(values))),
    media: countMedia(dataset),
  }
}

type Reader = Pick<Processor, 'prompt' | 'encode'>

async function measureRow(
  dataset: Dataset,
  index: number,
  processor: Reader,
  answers: readonly string[],
): Promise<RowSize> {
  const row = dataset.get(index)
  const prompt = sizeOf(await processor.prompt(row.messages, { where: placeOf(dataset, index) }))
  const answer = Math.max(0, ...answers.map((field) => answerTokens(row, field, processor)))
  return { prompt, answer, turns: countTurns(row.messages) }
}

/** What is no text is the trainer's to complain of. */
function answerTokens(row: Example, field: string, processor: Pick<Processor, 'encode'>): number {
  const text = answerOf(row[field])
  return typeof text === 'string' ? processor.encode(text).length + 1 : 0
}

export function sizeOf({ ids, sharedLength, media }: Prompt): PromptSize {
  return {
    tokens: ids.length,
    shared: sharedLength,
    patches: media.reduce((sum, { grid: [t, h, w] }) => sum + t * h * w, 0),
    framePatches: Math.max(0, ...media.map(({ grid: [, h, w] }) => h * w)),
  }
}

function combine(sizes: readonly RowSize[], pick: (values: readonly number[]) => number): RowSize {
  const of = (name: keyof PromptSize) => pick(sizes.map(({ prompt }) => prompt[name]))
  const prompt = {
    tokens: of('tokens'),
    shared: of('shared'),
    patches: of('patches'),
    framePatches: of('framePatches'),
  }
  return { prompt, answer: pick(sizes.map(({ answer }) => answer)), turns: pick(sizes.map(({ turns }) => turns)) }
}

function countMedia(dataset: Dataset): number {
  const compared = Math.min(rowsCompared, dataset.length)
  const keys = Array.from({ length: compared }, (_, i) => JSON.stringify(mediaPaths(dataset.get(i).messages)))
  return new Set(keys).size + dataset.length - compared
}
