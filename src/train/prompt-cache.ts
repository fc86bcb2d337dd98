/** Keeps encoded prompts, least recently used out first, so that epochs do not encode again; bounded in bytes. */
import type { Media, Prompt } from '../types.js'

export class PromptCache {
  private readonly prompts = new Map<number, Prompt>()
  private readonly pending = new Map<number, Promise<Prompt>>()
  /** How many of the kept prompts show each media item. */
  private readonly users = new Map<Media, number>()
  private size = 0

  constructor(
    private readonly encode: (index: number) => Promise<Prompt>,
    private readonly maxBytes: number,
  ) {}

  /** Bytes held now; media that prompts share count once. */
  get bytes(): number {
    return this.size
  }

  /** The prompt of a row. A row asked for twice at the same time is encoded once. */
  async get(index: number): Promise<Prompt> {
    const known = this.prompts.get(index)
    if (known) {
      this.prompts.delete(index)
      this.prompts.set(index, known)
      return known
    }
    const waiting = this.pending.get(index)
    if (waiting) return waiting
    const fresh = this.encode(index)
    this.pending.set(index, fresh)
    try {
      this.keep(index, await fresh)
    } finally {
      this.pending.delete(index)
    }
    return fresh
  }

  private keep(index: number, prompt: Prompt): void {
    this.prompts.set(index, prompt)
    this.size += prompt.ids.byteLength + prompt.positions.byteLength
    for (const item of prompt.media) {
      const users = this.users.get(item) ?? 0
      if (users === 0) this.size += item.patches.byteLength
      this.users.set(item, users + 1)
    }
    for (const [oldest, old] of this.prompts) {
      if (this.size <= this.maxBytes) break
      this.drop(oldest, old)
    }
  }

  private drop(index: number, prompt: Prompt): void {
    this.prompts.delete(index)
    this.size -= prompt.ids.byteLength + prompt.positions.byteLength
    for (const item of prompt.media) {
      const users = (this.users.get(item) ?? 1) - 1
      if (users > 0) {
        this.users.set(item, users)
        continue
      }
      this.users.delete(item)
      this.size -= item.patches.byteLength
    }
  }
}
