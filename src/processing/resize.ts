/** Which size a frame gets: the smart_resize of Qwen2-VL, in the two variants in use. The pixels are native (patchify). */

export interface ResizeLimits {
  /** Both sides become multiples of it: patch size times merge size. */
  readonly factor: number
  readonly minPixels: number
  readonly maxPixels: number
  /** 'hf': transformers' image_processing_qwen2_vl. 'qwen': qwen-vl-utils' vision_process. They differ for tiny sides. */
  readonly variant: 'hf' | 'qwen'
}

export interface Size {
  readonly height: number
  readonly width: number
}

const MAX_RATIO = 200

/** The resized size, in doubles and in the reference's order of operations. Throws RangeError beyond 200:1. */
export function smartResize({ height, width }: Size, { factor, minPixels, maxPixels, variant }: ResizeLimits): Size {
  const ratio = Math.max(height, width) / Math.min(height, width)
  if (ratio > MAX_RATIO) throw new RangeError(`the sides may differ at most ${MAX_RATIO}:1, got ${height}x${width}`)
  const [roundedFloor, shrunkFloor] = variant === 'hf' ? [0, factor] : [factor, 0]
  const rounded = (side: number) => Math.max(roundedFloor, roundHalfEven(side / factor) * factor)
  const pixels = rounded(height) * rounded(width)
  if (pixels > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels)
    const shrink = (side: number) => Math.max(shrunkFloor, Math.floor(side / beta / factor) * factor)
    return { height: shrink(height), width: shrink(width) }
  }
  if (pixels < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width))
    const grow = (side: number) => Math.ceil((side * beta) / factor) * factor
    return { height: grow(height), width: grow(width) }
  }
  return { height: rounded(height), width: rounded(width) }
}

/** Python's round(): halves go to the even neighbour. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x)
  const part = x - below
  if (part !== 0.5) return Math.round(x)
  return below % 2 === 0 ? below : below + 1
}
