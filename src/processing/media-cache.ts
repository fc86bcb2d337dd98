/** Keeps processed media by key, up to a number of bytes; the least recently used go first. Work in progress is shared. */
import type { Media } from '../types.js'

export class MediaCache {
  readonly #limit: number
  readonly #kept = new Map<string, Media>()
  readonly #pending = new Map<string, Promise<Media>>()
  #bytes = 0

  /** `limit` in bytes of patches; 0 keeps nothing. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes
  }

  /** The media under `key`, made by `make` when it is not there. A failure is not remembered. */
  async get(key: string, make: () => Promise<Media>): Promise<Media> {
    const kept = this.#kept.get(key)
    if (kept) {
      // A Map keeps insertion order: re-inserting marks it as used last.
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return kept
    }
    const pending = this.#pending.get(key) ?? this.#start(key, make)
    return pending
  }

  #start(key: string, make: () => Promise<Media>): Promise<Media> {
    const work = make()
      .then((media) => this.#keep(key, media))
      .finally(() => this.#pending.delete(key))
    this.#pending.set(key, work)
    return work
  }

  #keep(key: string, media: Media): Media {
    const size = media.patches.byteLength
    if (size > this.#limit) return media
    this.#kept.set(key, media)
    this.#bytes += size
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.#limit) break
      this.#kept.delete(oldest)
      this.#bytes -= old.patches.byteLength
    }
    return media
  }
}
