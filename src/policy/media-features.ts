/**
 * A frozen vision tower gives the same features for the same media every time: the engine keeps them in slots, so that the
 * sampling, reference and training passes of a step, and every later question about the same video, encode it once. This side
 * decides which media are kept, the least recently used going first.
 */
import type { PackedBatch } from '../batch.js'
import type { Batch, NativeModel } from '../native.js'
import type { Media } from '../types.js'

/** What each byte of three channels stands for. */
const byteValuesOfItem = 3 * 256

interface Kept {
  readonly slot: number
  readonly tokens: number
  /** Whether the pass that fills the slot has ended. */
  full: boolean
}

export class MediaFeatures {
  /** By media key, the most recently used last. */
  private readonly kept = new Map<string, Kept>()
  private tokens = 0
  private slots = 0

  /**
   * `capacity`: tokens of media whose features are kept at a time; 0 where the tower learns. `mergeUnit`: patches that become one
   * token.
   */
  constructor(
    private readonly model: Pick<NativeModel, 'dropFeatures'>,
    private readonly capacity: number,
    private readonly mergeUnit: number,
  ) {}

  /** Runs a pass that reads a batch: media that are kept go without their patches. All of a batch's media are kept, or none. */
  async run<T>({ media, ...forest }: PackedBatch, pass: (batch: Batch) => Promise<T>): Promise<T> {
    const grids = gridsOf(media)
    const places = this.placesOf(media)
    if (!places) return pass({ ...forest, ...joinMedia(media), grids })
    const missing = media.filter(({ key }) => !places.get(key)?.full)
    const slots = Int32Array.from(media, ({ key }) => places.get(key)?.slot ?? -1)
    const filled = [...places].filter(([, place]) => !place.full)
    try {
      const result = await pass({ ...forest, ...joinMedia(missing), grids, slots })
      for (const [, place] of filled) place.full = true
      return result
    } catch (error) {
      this.drop(filled.map(([key]) => key))
      throw error
    }
  }

  /** Forgets everything: the tower has other weights. */
  clear(): void {
    this.drop([...this.kept.keys()])
  }

  /**
   * Where the media of a pass are or will be; undefined where they do not fit, or another pass is about to fill a slot of theirs.
   */
  private placesOf(media: readonly Media[]): Map<string, Kept> | undefined {
    const items = new Map(media.map((item) => [item.key, patchesOf(item) / this.mergeUnit]))
    const known = [...items.keys()].flatMap((key) => this.kept.get(key) ?? [])
    const needed = [...items.values()].reduce((sum, tokens) => sum + tokens, 0)
    if (items.size === 0 || needed > this.capacity || known.some(({ full }) => !full)) return undefined
    this.makeRoom(needed - known.reduce((sum, { tokens }) => sum + tokens, 0), items)
    const places = new Map<string, Kept>()
    for (const [key, tokens] of items) {
      const place = this.kept.get(key) ?? { slot: this.slots++, tokens, full: false }
      if (!this.kept.delete(key)) this.tokens += tokens
      this.kept.set(key, place)
      places.set(key, place)
    }
    return places
  }

  /** Drops what was used least recently, but nothing that the coming pass reads or another one fills. */
  private makeRoom(tokens: number, inUse: ReadonlyMap<string, unknown>): void {
    const old = [...this.kept].filter(([key, place]) => place.full && !inUse.has(key))
    const gone: string[] = []
    let held = this.tokens
    for (const [key, place] of old) {
      if (held + tokens <= this.capacity) break
      gone.push(key)
      held -= place.tokens
    }
    this.drop(gone)
  }

  private drop(keys: readonly string[]): void {
    const slots = keys.flatMap((key) => {
      const place = this.kept.get(key)
      if (!place) return []
      this.kept.delete(key)
      this.tokens -= place.tokens
      return [place.slot]
    })
    if (slots.length === 0) return
    // Runs after the passes that were asked for before it; a model that is gone, which throws at once, has no slots to empty.
    const drop = async () => this.model.dropFeatures(Int32Array.from(slots))
    drop().catch(() => {})
  }
}

function joinMedia(media: readonly Media[]): Pick<Batch, 'patches' | 'byteValues'> {
  const patches = new Uint8Array(media.reduce((sum, item) => sum + item.patches.length, 0))
  const byteValues = new Float32Array(media.length * byteValuesOfItem)
  let offset = 0
  media.forEach((item, m) => {
    patches.set(item.patches, offset)
    byteValues.set(item.byteValues, m * byteValuesOfItem)
    offset += item.patches.length
  })
  return { patches, byteValues }
}

function patchesOf({ grid: [t, h, w] }: Media): number {
  return t * h * w
}

function gridsOf(media: readonly Media[]): Int32Array {
  return Int32Array.from(media.flatMap(({ grid }) => [...grid]))
}
