import { describe, expect, it } from 'vitest'
import { type PackedBatch, packSequences } from '../../../src/batch.js'
import type { Targets } from '../../../src/native.js'
import type { Media, Prompt } from '../../../src/types.js'
import { bench } from './bench.js'

interface Forest {
  pack(
    prompt: Prompt,
    completions: readonly Int32Array[],
  ): { batch: PackedBatch; targets: Targets; offsets: Int32Array }
  unshare(batch: PackedBatch, targets: Targets): { batch: PackedBatch; targets: Targets }
}

const { pack, unshare } = await bench<Forest>('ours/forest.mjs')

const width = 1176
const image = (key: string, value: number): Media => ({
  key,
  patches: new Uint8Array(4 * width).fill(value),
  byteValues: new Float32Array(768).fill(value),
  grid: [1, 2, 2],
})

/** Two images (of one token each) and a question; positions count up, each component from another number. */
function promptOf(question: readonly number[], media = [image('a', 1), image('b', 2)]): Prompt {
  const ids = Int32Array.from([7, 151655, 151655, ...question])
  const positions = Int32Array.from([0, 100, 200].flatMap((from) => [...ids.keys()].map((t) => from + t)))
  return { ids, positions, nextPosition: 50, media, sharedLength: 3 }
}

const completions = [Int32Array.from([20, 21, 22]), Int32Array.from([30]), Int32Array.from([40, 41])]

/** Of each target: its token, the rows that it sees, and their positions. */
function views({ batch, targets }: { batch: PackedBatch; targets: Targets }) {
  const { ids, offsets, parents, positions } = batch
  const segmentOf = (row: number) => [...parents.keys()].find((s) => row < (offsets[s + 1] ?? 0)) ?? -1
  const rowsUpTo = (row: number): number[] => {
    const segment = segmentOf(row)
    const begin = offsets[segment] ?? 0
    const parent = parents[segment] ?? -1
    const own = Array.from({ length: row - begin + 1 }, (_, i) => begin + i)
    return parent < 0 ? own : [...rowsUpTo((offsets[parent + 1] ?? 0) - 1), ...own]
  }
  return Array.from(targets.rows, (row, k) => {
    const rows = rowsUpTo(row)
    const at = (c: number) => rows.map((r) => positions[c * ids.length + r])
    return { token: targets.ids[k], seen: rows.map((r) => ids[r]), positions: [at(0), at(1), at(2)] }
  })
}

describe('forests of the benchmarks', () => {
  it('show every target what the library packs for it', () => {
    const prompt = promptOf([8, 9])
    const own = pack(prompt, completions)
    const library = packSequences(completions.map((completionIds) => ({ prompt, completionIds })))
    expect(views(own)).toEqual(views(library))
    expect(own.offsets).toEqual(library.offsets)
    expect(own.batch.media).toEqual(library.batch.media)
  })

  it('show every target the same when nothing is shared, each completion with its own media', () => {
    const questions = [promptOf([8, 9]), promptOf([10])]
    const sequences = questions.flatMap((prompt) => completions.map((completionIds) => ({ prompt, completionIds })))
    const shared = packSequences(sequences)
    const alone = unshare(shared.batch, shared.targets)
    expect(views(alone)).toEqual(views(shared))
    expect([...alone.batch.parents]).toEqual(sequences.map(() => -1))
    const owners = sequences.flatMap(({ completionIds }, i) => Array.from(completionIds, () => i))
    const { offsets } = alone.batch
    expect(Array.from(alone.targets.rows, (row) => offsets.findIndex((begin) => begin > row) - 1)).toEqual(owners)
    expect(alone.batch.media.map(({ key }) => key)).toEqual(sequences.flatMap(() => ['a', 'b']))
  })
})
