/** Rows packed into blocks of about equally many tokens, which take the places of rows in batches (TRL's strategy 'bfd'). */

import type { Dataset } from '../../data/dataset.js'
import { rowBatches } from '../../data/loader.js'
import type { Algorithm, RunContext } from '../algorithm.js'
import { countTokens } from '../units.js'
import type { SFTValues } from './config.js'
import { type Reading, readAnswers, type SFTSample } from './sft.js'

/** Rows that are encoded at a time to count their tokens. */
const rowsAtATime = 64

/** The row indices of each block. Encodes every row once; rows that cannot be learned from stop it, or are warned of. */
export async function packRows(
  context: Reading,
  config: SFTValues,
): Promise<{ readonly blocks: number[][]; readonly warnings: string[] }> {
  const warnings: string[] = []
  const sizes: { readonly index: number; readonly size: number }[] = []
  for (const indices of rowBatches(context.dataset, rowsAtATime)) {
    const { rows, warnings: more } = await readAnswers(indices, context, config)
    warnings.push(...more)
    for (const row of rows) sizes.push({ index: row.index, size: countTokens([row]) })
  }
  const blocks = bestFitDecreasing(
    sizes.map(({ size }) => size),
    config.maxLength,
  )
  return { blocks: blocks.map((block) => block.flatMap((i) => sizes[i]?.index ?? [])), warnings }
}

/** Puts the largest first, each into the fullest bin that still holds it; gives the items of each bin. */
export function bestFitDecreasing(sizes: readonly number[], capacity: number): number[][] {
  const bins: number[][] = []
  /** [room] bins with so much room left. */
  const byRoom: number[][][] = Array.from({ length: capacity + 1 }, () => [])
  const order = [...sizes.keys()].sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0))
  for (const item of order) {
    const size = Math.min(sizes[item] ?? 0, capacity)
    let room = size
    while (room < capacity && byRoom[room]?.length === 0) room++
    const bin = byRoom[room]?.pop() ?? []
    if (bin.length === 0) bins.push(bin)
    bin.push(item)
    byRoom[(bin.length === 1 ? capacity : room) - size]?.push(bin)
  }
  return bins
}

/** Blocks in place of rows; a block shows its first row. */
export function packedDataset(dataset: Dataset, blocks: readonly (readonly number[])[]): Dataset {
  const first = (block: number) => blocks[block]?.[0] ?? 0
  const where = dataset.where && ((block: number) => dataset.where?.(first(block)) ?? '')
  return { length: blocks.length, get: (block) => dataset.get(first(block)), ...(where ? { where } : {}) }
}

/** The algorithm on the rows of the blocks that a batch has. */
export function unpacking(
  algorithm: Algorithm<SFTSample>,
  { dataset, encode }: Reading,
  blocks: readonly (readonly number[])[],
): Algorithm<SFTSample> {
  const prepare = (indices: readonly number[], run: RunContext) =>
    algorithm.prepare(
      indices.flatMap((block) => blocks[block] ?? []),
      { ...run, dataset, encode },
    )
  return { ...algorithm, hasOwnRows: true, prepare }
}
