/** Cuts what goes through the engine into batches that fit into memory. Pure. */
import { promptKeys } from './batch.js'
import { groupBy } from './group-by.js'
import type { Prompt } from './types.js'

/** How items are cut into batches. */
export interface BatchingOptions<T> {
  prompt(item: T): Prompt
  /** Rows beyond the prompt's own. */
  rows(item: T): number
  /** Packed rows that one batch may have; an item that needs more gets a batch of its own. */
  readonly budget: number
}

/**
 * Cuts items into batches within a budget of packed rows. Items whose prompts share media become neighbours and stay in
 * one batch where they fit; otherwise the order is kept. The result depends on nothing but the arguments.
 */
export function planBatches<T>(items: readonly T[], options: BatchingOptions<T>): T[][] {
  const batches: T[][] = []
  let bin = new Bin(options)
  const close = () => {
    if (bin.items.length > 0) batches.push(bin.items)
    bin = new Bin(options)
  }
  for (const family of families(items, options)) {
    if (!bin.holds(family)) close()
    for (const item of family) {
      if (!bin.holds([item])) close()
      bin.add(item)
    }
  }
  close()
  return batches
}

/** One batch while it fills: knows which segments are paid for. */
class Bin<T> {
  readonly items: T[] = []
  private segments = new Set<string>()
  private rows = 0

  constructor(private readonly options: BatchingOptions<T>) {}

  holds(items: readonly T[]): boolean {
    const segments = new Set(this.segments)
    const rows = items.reduce((sum, item) => sum + this.cost(item, segments), this.rows)
    return rows <= this.options.budget
  }

  add(item: T): void {
    this.rows += this.cost(item, this.segments)
    this.items.push(item)
  }

  /** Rows that an item adds to a batch with these segments; marks its segments as there. */
  private cost(item: T, segments: Set<string>): number {
    const prompt = this.options.prompt(item)
    const { root, leaf } = promptKeys(prompt)
    let rows = this.options.rows(item)
    if (!segments.has(root)) rows += prompt.sharedLength
    if (!segments.has(leaf)) rows += prompt.ids.length - prompt.sharedLength
    segments.add(root).add(leaf)
    return rows
  }
}

/** Items by what their prompts share, families and members in order of first appearance. */
function families<T>(items: readonly T[], options: BatchingOptions<T>): T[][] {
  const keyOf = (item: T): string => {
    const prompt = options.prompt(item)
    const { root, leaf } = promptKeys(prompt)
    return prompt.sharedLength > 0 ? root : leaf
  }
  return [...groupBy(items, keyOf).values()]
}
