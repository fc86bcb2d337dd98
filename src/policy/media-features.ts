/**
 * A frozen vision tower gives the same features for the same media every time: the engine keeps them in slots, so that the
 * sampling, reference and training passes of a step, and every later question about the same video, encode it once. This side
 * decides which media are kept, the least recently used going first.
 */
import type { PackedBatch } from '../batch.js'
import type { Batch, NativeModel } from '../native.js'
import type { Media } from '../types.js'

/** Two by two patches make a token. */
const patchesPerToken = 4

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

  /** `capacity`: tokens of media whose features are kept at a time; 0 where the tower learns. */
  constructor(
    private readonly model: Pick<NativeModel, 'dropFeatures'>,
    private readonly capacity: number,
  ) {}

  /** Runs a pass that reads a batch: media that are kept go without their patches. */
  async run<T>({ media, ...forest }: PackedBatch, pass: (batch: Batch) => Promise<T>): Promise<T> {
    if (this.capacity === 0 || media.length === 0)
      return pass({ ...forest, ...joinMedia(media), grids: gridsOf(media) })
    const own = new Map<string, Kept | undefined>(media.map(({ key }) => [key, undefined]))
    const places = media.map((item) => ({ item, place: this.place(item, own) }))
    const missing = places.filter(({ place }) => !place?.full)
    const slots = Int32Array.from(places, ({ place }) => place?.slot ?? -1)
    const { patches, byteValues } = joinMedia(missing.map(({ item }) => item))
    try {
      const result = await pass({ ...forest, patches, byteValues, grids: gridsOf(media), slots })
      for (const { place } of missing) if (place) place.full = true
      return result
    } catch (error) {
      this.drop(missing.flatMap(({ item, place }) => (place ? [item.key] : [])))
      throw error
    }
  }

  /** Forgets everything: the tower has other weights. */
  clear(): void {
    this.drop([...this.kept.keys()])
  }

  /** Where an item's features are or will be; undefined: nowhere. `own`: the media of the pass, and the slots that it fills. */
  private place({ key, grid }: Media, own: Map<string, Kept | undefined>): Kept | undefined {
    const known = this.kept.get(key)
    if (known) {
      // A slot that another pass is about to fill is not there yet; one of this pass is for each of the same media in it.
      if (!known.full && own.get(key) !== known) return undefined
      this.kept.delete(key)
      this.kept.set(key, known)
      return known
    }
    const tokens = (grid[0] * grid[1] * grid[2]) / patchesPerToken
    if (!this.makeRoom(tokens, own)) return undefined
    const place = { slot: this.slots++, tokens, full: false }
    this.kept.set(key, place)
    own.set(key, place)
    this.tokens += tokens
    return place
  }

  /** Drops what was used least recently, but nothing that the coming pass reads or another one fills. */
  private makeRoom(tokens: number, inUse: ReadonlyMap<string, unknown>): boolean {
    const old = [...this.kept].filter(([key, place]) => place.full && !inUse.has(key))
    const gone: string[] = []
    let held = this.tokens
    for (const [key, place] of old) {
      if (held + tokens <= this.capacity) break
      gone.push(key)
      held -= place.tokens
    }
    if (held + tokens > this.capacity) return false
    this.drop(gone)
    return true
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
    // Runs after the passes that were asked for before it; a model that is gone has no slots to empty.
    this.model.dropFeatures(Int32Array.from(slots)).catch(() => {})
  }
}

export function joinMedia(media: readonly Media[]): Pick<Batch, 'patches' | 'byteValues'> {
  const patches = new Uint8Array(media.reduce((sum, item) => sum + item.patches.length, 0))
  const byteValues = new Float32Array(media.length * 768)
  let offset = 0
  media.forEach((item, m) => {
    patches.set(item.patches, offset)
    byteValues.set(item.byteValues, m * 768)
    offset += item.patches.length
  })
  return { patches, byteValues }
}

function gridsOf(media: readonly Media[]): Int32Array {
  return Int32Array.from(media.flatMap(({ grid }) => [...grid]))
}
