/**
 * The order in which a run sees a dataset: a seeded permutation for every epoch, cut into batches. A pure function of
 * (seed, batch number), so a run resumes at any batch without replaying the ones before.
 */
import { InputError } from '../errors.js'
import { groupBy } from '../group-by.js'

export interface LoaderOptions {
  /** Rows of the dataset. */
  readonly length: number
  readonly batchSize: number
  readonly seed: number
  readonly shuffle: boolean
  /** What to do with the rows that do not fill the last batch of an epoch. */
  readonly lastBatch: 'drop' | 'keep'
  /** Rows with equal keys share media. With `together` > 1, up to that many of them stay neighbours in the order. */
  readonly media?: { readonly keyOf: (index: number) => string; readonly together: number }
}

export interface Loader {
  readonly batchesPerEpoch: number
  /** Row indices of batch `number`, counted from 0 over all epochs. */
  batch(number: number): readonly number[]
  /** `count` rows that are not in batch `number`, in an order of its own, after the first `skip`; fewer at its end. */
  further(number: number, count: number, skip: number): readonly number[]
}

/** Throws an InputError when the dataset does not fill one batch. */
export function createLoader(options: LoaderOptions): Loader {
  const { length, batchSize } = options
  const batchesPerEpoch = countBatches(options)
  if (batchesPerEpoch === 0) {
    throw new InputError(
      `[trainDataset] expected at least ${batchSize} rows to fill one batch, got ${length}; lower the batch size`,
    )
  }
  const families =
    options.media && options.media.together > 1
      ? [...groupBy(Array(length).keys(), options.media.keyOf).values()]
      : undefined
  let current: { epoch: number; order: readonly number[] } | undefined
  return {
    batchesPerEpoch,
    batch(number) {
      const epoch = Math.floor(number / batchesPerEpoch)
      if (current?.epoch !== epoch) current = { epoch, order: epochOrder(options, epoch, families) }
      const begin = (number % batchesPerEpoch) * batchSize
      return current.order.slice(begin, begin + batchSize)
    },
    further(number, count, skip) {
      const taken = new Set(this.batch(number))
      const others = Array.from({ length }, (_, index) => index).filter((index) => !taken.has(index))
      return shuffled(others, mulberry32(options.seed + 1, number)).slice(skip, skip + count)
    },
  }
}

/** Batches that a dataset has. */
export function countBatches({
  length,
  batchSize,
  lastBatch,
}: Pick<LoaderOptions, 'length' | 'batchSize' | 'lastBatch'>): number {
  return lastBatch === 'drop' ? Math.floor(length / batchSize) : Math.ceil(length / batchSize)
}

function epochOrder(options: LoaderOptions, epoch: number, families: number[][] | undefined): readonly number[] {
  const rows = Array.from({ length: options.length }, (_, index) => index)
  if (!options.shuffle) return rows
  const random = mulberry32(options.seed, epoch)
  if (!families) return shuffled(rows, random)
  const together = options.media?.together ?? 1
  return shuffled(
    families.flatMap((family) => chunks(shuffled(family, random), together)),
    random,
  ).flat()
}

/** Cuts a list into parts of `size`, the last one shorter where it does not divide. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

/** All row indices of a dataset, `size` at a time. */
export function rowBatches({ length }: { readonly length: number }, size: number): number[][] {
  return chunks([...Array(length).keys()], size)
}

/** Fisher-Yates on a copy. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [result[i], result[j]]
    if (a === undefined || b === undefined) continue
    result[i] = b
    result[j] = a
  }
  return result
}

/**
 * A small generator of uniform numbers in [0, 1) (mulberry32), with the epoch mixed into its seed. Not `randomStream`: runs that
 * were begun with this order resume with it.
 */
function mulberry32(seed: number, epoch: number): () => number {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
