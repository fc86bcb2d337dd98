/**
 * M-RoPE positions (temporal, height, width) of a prompt's tokens: transformers' get_rope_index for Qwen2-VL, one row,
 * without padding. Text advances all three together; a media item spans a block whose origin is the current position.
 */

export interface PositionOptions {
  readonly imageTokenId: number
  readonly videoTokenId: number
  /** Patches per side of one token's square. */
  readonly spatialMergeSize: number
  /**
   * Where text goes on after a media item: 4 = after its largest position (transformers 4, the paper), 5 = after its
   * largest spatial position (transformers >= 5.3, differs for long videos).
   */
  readonly compat: 4 | 5
}

export interface PositionPlan {
  /** [3, T] row-major. */
  readonly positions: Int32Array
  /** Position of the first generated token: the largest position + 1 under both rules. */
  readonly nextPosition: number
}

/** (t, h, w) in patches. */
export type Grid = readonly [number, number, number]

/** `grids` in the order in which their placeholders stand in `ids`. Throws RangeError when the two do not match. */
export function planPositions(ids: ArrayLike<number>, grids: readonly Grid[], options: PositionOptions): PositionPlan {
  const length = ids.length
  const positions = new Int32Array(3 * length)
  let current = 0
  let largest = -1
  let item = 0
  let row = 0
  while (row < length) {
    const token = ids[row]
    if (token !== options.imageTokenId && token !== options.videoTokenId) {
      for (let axis = 0; axis < 3; axis++) positions[axis * length + row] = current
      largest = Math.max(largest, current)
      current += 1
      row += 1
      continue
    }
    const block = mergedGrid(grids[item], item, options.spatialMergeSize)
    const [t, h, w] = block
    checkRun(ids, row, t * h * w, item)
    fillBlock(positions, length, row, current, block)
    largest = Math.max(largest, current + Math.max(t, h, w) - 1)
    current += options.compat === 4 ? Math.max(t, h, w) : Math.max(h, w)
    row += t * h * w
    item += 1
  }
  if (item < grids.length) throw new RangeError(`${grids.length} media items for ${item} placeholders`)
  return { positions, nextPosition: largest + 1 }
}

function mergedGrid(grid: Grid | undefined, item: number, merge: number): Grid {
  if (!grid) throw new RangeError(`placeholder ${item + 1} has no media item`)
  return [grid[0], Math.floor(grid[1] / merge), Math.floor(grid[2] / merge)]
}

/** A media item's placeholders must stand together, all of one kind. */
function checkRun(ids: ArrayLike<number>, start: number, count: number, item: number): void {
  for (let row = start; row < start + count; row++) {
    if (ids[row] !== ids[start]) {
      throw new RangeError(`media item ${item + 1} needs ${count} placeholder tokens, found ${row - start}`)
    }
  }
}

function fillBlock(positions: Int32Array, length: number, start: number, origin: number, [t, h, w]: Grid): void {
  let row = start
  for (let a = 0; a < t; a++) {
    for (let b = 0; b < h; b++) {
      for (let c = 0; c < w; c++) {
        positions[row] = origin + a
        positions[length + row] = origin + b
        positions[2 * length + row] = origin + c
        row += 1
      }
    }
  }
}
