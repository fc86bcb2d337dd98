/**
 * Packs prompts and completions into the forest of segments that the engine reads, so that what they share is computed
 * once. Prompts with the same media and the same tokens up to the last media item share a root segment; equal prompts
 * share their leaf; each completion hangs below its prompt's leaf. Pure: no typed array is kept or changed.
 */
import { createHash } from 'node:crypto'
import type { Batch, Targets } from './native.js'
import type { Media, Prompt } from './types.js'

/** A prompt and what follows it. */
export interface Sequence {
  readonly prompt: Prompt
  /** [T] */
  readonly completionIds: Int32Array
  /** The prompt's tokens but the first are targets too, before the completion's. Default false. */
  readonly learnsPrompt?: boolean
}

/** A forest with its media as they are: what an engine's `Batch` says of them depends on which features it has. */
export interface PackedBatch extends Pick<Batch, 'ids' | 'offsets' | 'parents' | 'positions'> {
  /** [M] in the order in which their placeholders stand in `ids`. */
  readonly media: readonly Media[]
}

export interface PackedPrompts {
  readonly batch: PackedBatch
  /** [P] leaf segment of each prompt. */
  readonly leaves: Int32Array
  /** [P] position of the first new token. */
  readonly nextPositions: Int32Array
}

export interface PackedSequences {
  readonly batch: PackedBatch
  readonly targets: Targets
  /** [B + 1] first target of each sequence. */
  readonly offsets: Int32Array
}

/** Packs prompts for generation, in the given order. */
export function packPrompts(prompts: readonly Prompt[]): PackedPrompts {
  const forest = new Forest()
  const leaves = Int32Array.from(prompts, (prompt) => forest.leafOf(prompt))
  return { batch: forest.build(), leaves, nextPositions: Int32Array.from(prompts, (prompt) => prompt.nextPosition) }
}

/**
 * Packs whole sequences for scoring and training: all prompts, as `packPrompts` packs them, then the completions. A
 * completion's segment holds its tokens but the last, which is only predicted; its first token is predicted from the last
 * row of the prompt.
 */
export function packSequences(sequences: readonly Sequence[]): PackedSequences {
  const forest = new Forest()
  const offsets = new Int32Array(sequences.length + 1)
  const leaves = sequences.map(({ prompt }) => forest.leafOf(prompt))
  const segments = sequences.map(({ prompt, completionIds, learnsPrompt = false }, i) => {
    const leaf = leaves[i] ?? -1
    const learned = learnsPrompt ? prompt.ids.subarray(1) : new Int32Array()
    offsets[i + 1] = (offsets[i] ?? 0) + learned.length + completionIds.length
    return { leaf, segment: forest.addCompletion(leaf, prompt, completionIds), completionIds, learned }
  })
  const batch = forest.build()
  const total = offsets[sequences.length] ?? 0
  const rows = new Int32Array(total)
  const ids = new Int32Array(total)
  segments.forEach(({ leaf, segment, completionIds, learned }, i) => {
    const first = offsets[i] ?? 0
    const begin = first + learned.length
    ids.set(learned, first)
    ids.set(completionIds, begin)
    if (learned.length > 0) rows.set(promptRows(batch, leaf).slice(0, -1), first)
    const lastPromptRow = (batch.offsets[leaf + 1] ?? 0) - 1
    const firstRow = batch.offsets[segment] ?? 0
    for (let t = 0; t < completionIds.length; t++) rows[begin + t] = t === 0 ? lastPromptRow : firstRow + t - 1
  })
  return { batch, targets: { rows, ids }, offsets }
}

/** The packed rows of a prompt, whose last segment is `leaf`. */
function promptRows(batch: PackedBatch, leaf: number): number[] {
  if (leaf < 0) return []
  const begin = batch.offsets[leaf] ?? 0
  const own = Array.from({ length: (batch.offsets[leaf + 1] ?? 0) - begin }, (_, t) => begin + t)
  return [...promptRows(batch, batch.parents[leaf] ?? -1), ...own]
}

interface PromptKeys {
  /** Equal for prompts that share media and the tokens up to the last media item. */
  readonly root: string
  /** Equal for equal prompts. */
  readonly leaf: string
}

const keysOfPrompts = new WeakMap<Prompt, PromptKeys>()

/** Digests of a prompt's content, computed once per prompt object. */
export function promptKeys(prompt: Prompt): PromptKeys {
  const known = keysOfPrompts.get(prompt)
  if (known) return known
  const hash = createHash('sha256')
  for (const { key } of prompt.media) hash.update(`${key.length}:${key}`)
  const root = hash
    .update(bytes(prompt.ids.subarray(0, prompt.sharedLength)))
    .copy()
    .digest('base64')
  const leaf = hash
    .update('|')
    .update(bytes(prompt.ids.subarray(prompt.sharedLength)))
    .digest('base64')
  const keys = { root, leaf }
  keysOfPrompts.set(prompt, keys)
  return keys
}

function bytes(ids: Int32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)
}

/** One segment: rows `begin` to `end` of a prompt, or the rows of a completion. */
interface Segment {
  readonly parent: number
  readonly ids: Int32Array
  /** Writes component c of row t's position. */
  readonly position: (component: number, row: number) => number
}

/** Collects segments, each root and each prompt once, parents before children. */
class Forest {
  private readonly segments: Segment[] = []
  private readonly media: Media[] = []
  private readonly indices = new Map<string, number>()

  /** The segment whose last row is the prompt's last token. */
  leafOf(prompt: Prompt): number {
    const { ids, sharedLength } = prompt
    if (ids.length === 0) throw new RangeError('[batch] expected prompts of at least one token')
    const keys = promptKeys(prompt)
    const root = sharedLength === 0 ? -1 : this.once(`root ${keys.root}`, () => this.addRoot(prompt))
    if (sharedLength === ids.length) return root
    return this.once(`leaf ${keys.leaf}`, () => this.addPromptRows(root, prompt, sharedLength, ids.length))
  }

  addCompletion(leaf: number, prompt: Prompt, completionIds: Int32Array): number {
    const ids = completionIds.subarray(0, Math.max(0, completionIds.length - 1))
    return this.add({ parent: leaf, ids, position: (_, row) => prompt.nextPosition + row })
  }

  build(): PackedBatch {
    const offsets = new Int32Array(this.segments.length + 1)
    this.segments.forEach(({ ids }, s) => {
      offsets[s + 1] = (offsets[s] ?? 0) + ids.length
    })
    const total = offsets[this.segments.length] ?? 0
    const ids = new Int32Array(total)
    const positions = new Int32Array(3 * total)
    this.segments.forEach((segment, s) => {
      const begin = offsets[s] ?? 0
      ids.set(segment.ids, begin)
      for (let c = 0; c < 3; c++) {
        for (let t = 0; t < segment.ids.length; t++) positions[c * total + begin + t] = segment.position(c, t)
      }
    })
    const parents = Int32Array.from(this.segments, ({ parent }) => parent)
    return { ids, offsets, parents, positions, media: this.media }
  }

  private once(key: string, make: () => number): number {
    const index = this.indices.get(key) ?? make()
    this.indices.set(key, index)
    return index
  }

  private addRoot(prompt: Prompt): number {
    this.media.push(...prompt.media)
    return this.addPromptRows(-1, prompt, 0, prompt.sharedLength)
  }

  private addPromptRows(parent: number, { ids, positions }: Prompt, begin: number, end: number): number {
    const position = (c: number, row: number) => positions[c * ids.length + begin + row] ?? 0
    return this.add({ parent, ids: ids.subarray(begin, end), position })
  }

  private add(segment: Segment): number {
    return this.segments.push(segment) - 1
  }
}
