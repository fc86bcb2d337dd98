/** Which media bring their patches, against a model that keeps features as the engine does. */
import { describe, expect, it } from 'vitest'
import type { PackedBatch } from '../../../src/batch.js'
import type { Batch } from '../../../src/native.js'
import { MediaFeatures } from '../../../src/policy/media-features.js'
import type { Media } from '../../../src/types.js'

/** An image of one token, whose patches are its letter. */
function image(key: string, tokens = 1): Media {
  const patches = new Uint8Array(tokens).fill(key.charCodeAt(0))
  return { key, patches, byteValues: new Float32Array(768).fill(key.charCodeAt(0)), grid: [tokens, 2, 2] }
}

const batchOf = (...media: Media[]): PackedBatch => ({
  ids: new Int32Array(),
  offsets: new Int32Array(),
  parents: new Int32Array(),
  positions: new Int32Array(),
  media,
})

/** Keeps what comes with a slot, and gives back what each item's patches are; throws when they do not fit. */
class Model {
  readonly kept = new Map<number, string>()

  read({ grids, patches, byteValues, slots }: Batch): string[] {
    let at = 0
    let missing = 0
    const before = new Map(this.kept)
    const items = Array.from({ length: grids.length / 3 }, (_, m) => {
      const slot = slots?.[m] ?? -1
      const known = before.get(slot)
      if (known !== undefined) return known
      const own = String.fromCharCode(...patches.subarray(at, at + (grids[3 * m] ?? 0)))
      at += grids[3 * m] ?? 0
      missing++
      if (slot >= 0) this.kept.set(slot, own)
      return own
    })
    if (at !== patches.length) throw new Error(`${patches.length} patches for ${at}`)
    expect(byteValues).toHaveLength(768 * missing)
    return items
  }

  async dropFeatures(slots: Int32Array): Promise<void> {
    for (const slot of slots) this.kept.delete(slot)
  }
}

function make(capacity: number, mergeUnit = 4) {
  const model = new Model()
  const features = new MediaFeatures(model, capacity, mergeUnit)
  const run = async (...media: Media[]) => {
    let patches = ''
    const items = await features.run(batchOf(...media), async (batch) => {
      patches = String.fromCharCode(...batch.patches)
      return model.read(batch)
    })
    return { items: items.join(' '), patches }
  }
  return { model, features, run }
}

describe('media of a frozen vision tower', () => {
  it('bring their patches once', async () => {
    const { run } = make(10)
    expect(await run(image('A'), image('B', 2))).toEqual({ items: 'A BB', patches: 'ABB' })
    expect(await run(image('B', 2), image('C'), image('A'))).toEqual({ items: 'BB C A', patches: 'C' })
  })

  it('are kept within the capacity, the least recently used going first, and none that the pass reads', async () => {
    const { model, run } = make(3)
    await run(image('A'), image('B'), image('C'))
    await run(image('A'))
    expect((await run(image('D'), image('C'))).patches).toBe('D')
    expect([...model.kept.values()].sort()).toEqual(['A', 'C', 'D'])
    // A batch that does not fit as a whole is not kept at all, and leaves the others where they are.
    expect((await run(image('E', 3), image('A'))).patches).toBe('EEEA')
    expect([...model.kept.values()].sort()).toEqual(['A', 'C', 'D'])
  })

  it('are counted in tokens, of as many patches as the model merges', async () => {
    const { run } = make(4, 1)
    await run(image('A'))
    await run(image('B'))
    expect((await run(image('A'))).patches).toBe('A')
  })

  it('bring them every time where the tower learns', async () => {
    const { model, run } = make(0)
    expect(await run(image('A'))).toEqual({ items: 'A', patches: 'A' })
    expect(await run(image('A'))).toEqual({ items: 'A', patches: 'A' })
    expect(model.kept.size).toBe(0)
  })

  it('bring them again when the pass that was to keep them failed, or the weights have changed', async () => {
    const { model, features, run } = make(10)
    const failing = features.run(batchOf(image('A')), async (batch) => {
      model.read(batch)
      throw new Error('no memory')
    })
    await expect(failing).rejects.toThrow('no memory')
    expect(model.kept.size).toBe(0)
    expect((await run(image('A'))).patches).toBe('A')
    features.clear()
    expect((await run(image('A'))).patches).toBe('A')
  })

  it('do not hide why a pass failed when the model is gone too', async () => {
    const dropFeatures = () => {
      throw new Error('[Model] used after dispose()')
    }
    const features = new MediaFeatures({ dropFeatures }, 10, 4)
    const failing = features.run(batchOf(image('A')), () => Promise.reject(new Error('aborted')))
    await expect(failing).rejects.toThrow('aborted')
  })

  it('bring them to a pass that is asked for before the one that keeps them has ended, and twice within one', async () => {
    const { run } = make(10)
    expect(await Promise.all([run(image('A')), run(image('A'))])).toEqual([
      { items: 'A', patches: 'A' },
      { items: 'A', patches: 'A' },
    ])
    expect(await run(image('B'), image('B'))).toEqual({ items: 'B B', patches: 'BB' })
    expect((await run(image('B'), image('B'))).patches).toBe('')
  })
})
