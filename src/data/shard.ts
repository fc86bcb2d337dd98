/** A dataset's part for one of several processes that train together: rows rank, rank + worldSize, … */
import { InputError } from '../errors.js'
import type { Dataset } from './dataset.js'

export interface ShardOptions {
  /** Which process this is, from 0. */
  readonly rank: number
  /** How many there are. */
  readonly worldSize: number
  /**
   * When the rows do not divide: `keep` leaves the first ranks one row more (default), `repeat` gives the others a row of
   * the beginning again, so that all have equally many.
   */
  readonly last?: 'keep' | 'repeat'
}

/** Throws an InputError for a rank that is not below worldSize, or when there are fewer rows than processes. */
export function shard(dataset: Dataset, options: ShardOptions): Dataset {
  const { rank, worldSize, last = 'keep' } = checkShard(options)
  const total = dataset.length
  if (total < worldSize) {
    throw new InputError(`[shard] expected at least one row for each of ${worldSize} processes, got ${total}`)
  }
  const length = last === 'repeat' ? Math.ceil(total / worldSize) : Math.ceil((total - rank) / worldSize)
  const source = (index: number): number => (rank + index * worldSize) % total
  return {
    length,
    files: dataset.files,
    get(index) {
      if (index >= 0 && index < length) return dataset.get(source(index))
      throw new RangeError(`[shard] expected an index below ${length}, got ${index}`)
    },
    where: (index) => dataset.where?.(source(index)) ?? `row ${source(index) + 1}`,
  }
}

/** The options themselves when they make sense. */
export function checkShard<T extends Pick<ShardOptions, 'rank' | 'worldSize'>>(options: T): T {
  const { rank, worldSize } = options
  const whole = Number.isSafeInteger(rank) && Number.isSafeInteger(worldSize)
  if (whole && rank >= 0 && rank < worldSize) return options
  throw new InputError(`[shard] expected a rank from 0 to worldSize - 1, got rank ${rank} of worldSize ${worldSize}`)
}
