/** Packing: whatever is shared, every sequence can be read back row by row. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PackedBatch, packPrompts, packSequences, type Sequence } from '../../src/batch.js'
import { planBatches } from '../../src/plan-batches.js'
import type { Media, Prompt } from '../../src/types.js'

function video(key: string): Media {
  return {
    key,
    patches: Uint8Array.from({ length: 4 * 1176 }, (_, i) => key.charCodeAt(0) + i),
    byteValues: new Float32Array(768).fill(key.charCodeAt(0)),
    grid: [1, 2, 2],
  }
}

/** A prompt whose first `sharedLength` tokens hold the media, with positions that tell where each row came from. */
function makePrompt(media: readonly string[], shared: readonly number[], own: readonly number[]): Prompt {
  const ids = Int32Array.from([...shared, ...own])
  const sharedLength = media.length > 0 ? shared.length : 0
  const positions = Int32Array.from(
    { length: 3 * ids.length },
    (_, i) => 10 * (i % ids.length) + Math.floor(i / ids.length),
  )
  return { ids, positions, nextPosition: 1000 + ids.length, media: media.map(video), sharedLength }
}

const prompts: fc.Arbitrary<Prompt> = fc
  .record({
    media: fc.subarray(['A', 'B']),
    shared: fc.constantFrom([1], [1, 2], [1, 2, 3]),
    own: fc.array(fc.integer({ min: 5, max: 6 }), { maxLength: 2 }),
  })
  .map(({ media, shared, own }) => makePrompt(media, shared, own))
const sequences: fc.Arbitrary<Sequence[]> = fc.array(
  fc.record({
    prompt: prompts,
    completionIds: fc.array(fc.integer({ min: 7, max: 9 }), { maxLength: 4 }).map((ids) => Int32Array.from(ids)),
  }),
  { maxLength: 8 },
)

/** All rows that row `row` of a batch attends to, itself included, from the root on. */
function visibleRows(batch: PackedBatch, row: number): number[] {
  let segment = batch.offsets.findIndex((begin, s) => begin <= row && row < (batch.offsets[s + 1] ?? 0))
  let end = row + 1
  const parts: number[][] = []
  while (segment >= 0) {
    const begin = batch.offsets[segment] ?? 0
    parts.unshift(Array.from({ length: end - begin }, (_, i) => begin + i))
    segment = batch.parents[segment] ?? -1
    end = batch.offsets[segment + 1] ?? 0
  }
  return parts.flat()
}

function positionsOf(batch: PackedBatch, rows: readonly number[]): number[][] {
  return [0, 1, 2].map((c) => rows.map((row) => batch.positions[c * batch.ids.length + row] ?? -1))
}

describe('packSequences', () => {
  it('predicts every token from exactly the tokens before it, with their positions', () => {
    fc.assert(
      fc.property(sequences, (items) => {
        const { batch, targets, offsets } = packSequences(items)
        items.forEach(({ prompt, completionIds }, i) => {
          completionIds.forEach((id, t) => {
            const k = (offsets[i] ?? 0) + t
            expect(targets.ids[k]).toBe(id)
            const rows = visibleRows(batch, targets.rows[k] ?? -1)
            expect(rows.map((row) => batch.ids[row])).toEqual([...prompt.ids, ...completionIds.subarray(0, t)])
            const completion = Array.from({ length: t }, (_, j) => prompt.nextPosition + j)
            const expected = [0, 1, 2].map((c) => {
              return [...prompt.positions.subarray(c * prompt.ids.length, (c + 1) * prompt.ids.length), ...completion]
            })
            expect(positionsOf(batch, rows)).toEqual(expected)
          })
        })
        expect(offsets.at(-1)).toBe(items.reduce((sum, { completionIds }) => sum + completionIds.length, 0))
      }),
    )
  })

  it('keeps the rules of a forest: parents first, offsets that rise, media in the order of their roots', () => {
    fc.assert(
      fc.property(sequences, (items) => {
        const { batch } = packSequences(items)
        expect(batch.offsets[0]).toBe(0)
        expect(batch.offsets.at(-1)).toBe(batch.ids.length)
        expect(batch.offsets).toHaveLength(batch.parents.length + 1)
        batch.parents.forEach((parent, s) => {
          expect(parent).toBeGreaterThanOrEqual(-1)
          expect(parent).toBeLessThan(s)
          expect(batch.offsets[s + 1]).toBeGreaterThanOrEqual(batch.offsets[s] ?? 0)
        })
      }),
    )
  })

  it('encodes the media that prompts share once, and equal prompts once', () => {
    const a = makePrompt(['A', 'B'], [1, 2], [5])
    const b = makePrompt(['A', 'B'], [1, 2], [6, 6])
    const completionIds = Int32Array.of(7, 8)
    const { batch, targets } = packSequences([a, a, b, { ...a }].map((prompt) => ({ prompt, completionIds })))
    expect([...batch.parents]).toEqual([-1, 0, 0, 1, 1, 2, 1])
    expect([...batch.ids]).toEqual([1, 2, 5, 6, 6, 7, 7, 7, 7])
    expect(batch.media.map(({ key }) => key)).toEqual(['A', 'B'])
    expect([...targets.rows]).toEqual([2, 5, 2, 6, 4, 7, 2, 8])
  })

  it('begins with the prompts as generation packs them', () => {
    const prompts = [makePrompt(['A'], [1, 2], [5]), makePrompt(['A'], [1, 2], [6, 6]), makePrompt([], [], [9])]
    const completionIds = Int32Array.of(7, 8)
    const { batch } = packSequences(prompts.flatMap((prompt) => [0, 1].map(() => ({ prompt, completionIds }))))
    const { batch: alone } = packPrompts(prompts)
    expect(batch.ids.subarray(0, alone.ids.length)).toEqual(alone.ids)
    expect(batch.offsets.subarray(0, alone.offsets.length)).toEqual(alone.offsets)
    expect(batch.parents.subarray(0, alone.parents.length)).toEqual(alone.parents)
    expect(batch.media).toEqual(alone.media)
  })

  it('does not share media that come after different tokens, or in another order', () => {
    const completionIds = Int32Array.of(7)
    const roots = (others: Prompt[]) => {
      const { parents } = packSequences(others.map((prompt) => ({ prompt, completionIds }))).batch
      return [...parents].filter((parent) => parent === -1).length
    }
    expect(roots([makePrompt(['A'], [1, 2], [5]), makePrompt(['A'], [1, 3], [5])])).toBe(2)
    expect(roots([makePrompt(['A', 'B'], [1, 2], [5]), makePrompt(['B', 'A'], [1, 2], [5])])).toBe(2)
    expect(roots([makePrompt(['A'], [1, 2], [5]), makePrompt(['A'], [1, 2], [])])).toBe(1)
  })

  it('gives a completion of one token an empty segment below its prompt', () => {
    const { batch, targets } = packSequences([{ prompt: makePrompt([], [1, 2], []), completionIds: Int32Array.of(7) }])
    expect([...batch.offsets]).toEqual([0, 2, 2])
    expect([...targets.rows]).toEqual([1])
    expect(batch.media).toHaveLength(0)
  })
})

describe('packPrompts', () => {
  it('points every prompt at the segment that ends it', () => {
    fc.assert(
      fc.property(fc.array(prompts, { maxLength: 6 }), (items) => {
        const { batch, leaves, nextPositions } = packPrompts(items)
        items.forEach((prompt, p) => {
          const last = (batch.offsets[(leaves[p] ?? 0) + 1] ?? 0) - 1
          expect(visibleRows(batch, last).map((row) => batch.ids[row])).toEqual([...prompt.ids])
          expect(nextPositions[p]).toBe(prompt.nextPosition)
        })
      }),
    )
  })

  it('refuses an empty prompt', () => {
    expect(() => packPrompts([makePrompt([], [], [])])).toThrow('at least one token')
  })
})

describe('planBatches', () => {
  const plan = (items: readonly Sequence[], budget: number) =>
    planBatches(items, { prompt: ({ prompt }) => prompt, rows: ({ completionIds }) => completionIds.length, budget })

  it('loses nothing, keeps to the budget where it can, and counts what is shared once', () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 40 }), (items, budget) => {
        const batches = plan(items, budget)
        expect(new Set(batches.flat())).toEqual(new Set(items))
        expect(batches.flat()).toHaveLength(items.length)
        for (const batch of batches.filter(({ length }) => length > 1)) {
          expect(packSequences(batch).batch.ids.length).toBeLessThanOrEqual(budget)
        }
        if (items.length > 0) expect(plan(items, 1e6)).toHaveLength(1)
      }),
    )
  })

  it('keeps prompts about the same media together', () => {
    const make = (media: string, own: number) => ({
      prompt: makePrompt([media], [1, 2, 3], [own]),
      completionIds: Int32Array.of(7),
    })
    const [a, b, c, d] = [make('A', 5), make('B', 5), make('A', 6), make('B', 6)]
    expect(plan([a, b, c, d], 8)).toEqual([
      [a, c],
      [b, d],
    ])
  })
})
