/** Decoded pixels, the common currency of images, videos and rendered frames. */

export interface Frames {
  /** [frames, height, width, 3] */
  readonly rgb: Uint8Array
  readonly frames: number
  readonly height: number
  readonly width: number
}

/** Throws RangeError when the bytes do not fill the stated shape. */
export function checkFrames({ rgb, frames, height, width }: Frames): void {
  const whole = [frames, height, width].every((n) => Number.isInteger(n) && n > 0)
  if (whole && rgb.length === frames * height * width * 3) return
  throw new RangeError(`expected [${frames}, ${height}, ${width}, 3] RGB bytes, got ${rgb.length} bytes`)
}

/** Images of one size, one after the other. Throws RangeError naming the first that differs. */
export function stackFrames(images: readonly Frames[]): Frames {
  const [first] = images
  if (!first) throw new RangeError('a video needs at least one frame')
  const rgb = new Uint8Array(images.reduce((sum, image) => sum + image.rgb.length, 0))
  let offset = 0
  let frames = 0
  images.forEach((image, index) => {
    if (image.height !== first.height || image.width !== first.width) {
      const [a, b] = [image, first].map(({ height, width }) => `${height}x${width}`)
      throw new RangeError(`frame ${index + 1} is ${a}, the first is ${b}: frames of a video must have one size`)
    }
    rgb.set(image.rgb, offset)
    offset += image.rgb.length
    frames += image.frames
  })
  return { rgb, frames, height: first.height, width: first.width }
}
