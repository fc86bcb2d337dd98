/**
 * Image files to RGB bytes, as Pillow's open + convert('RGB') gives them. sharp only decodes: its resizing, colour
 * management and 16-bit scaling are not the reference's, so they are off, or refused where Pillow does something else.
 */
import sharp, { type Metadata } from 'sharp'
import { firstLine, InputError, messageOf } from '../errors.js'
import type { Frames } from './frames.js'

export interface ImageOptions {
  /** Turn the picture as its EXIF orientation says (transformers does, qwen-vl-utils does not). */
  readonly orient: boolean
  /** What becomes of an alpha channel: dropped (Pillow), or laid on white (qwen-vl-utils). */
  readonly alpha: 'drop' | 'white'
}

/** Pillow's own limit: beyond it `open` raises DecompressionBombError. */
const MAX_PIXELS = 178_956_970

const FORMATS = 'JPEG, PNG, WebP, TIFF, GIF or AVIF'

/** Decodes the bytes of one image file; `name` stands in messages. Of an animation, the first frame. */
export async function decodeImage(bytes: Uint8Array, name: string, options: ImageOptions): Promise<Frames> {
  try {
    const image = sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS })
    const metadata = await image.metadata()
    refuseUnlikePillow(metadata, name)
    const oriented = options.orient ? image.autoOrient() : image
    const raw = oriented.toColourspace('srgb').raw({ depth: 'uchar' })
    const { data, info } = await raw.toBuffer({ resolveWithObject: true })
    const size = { frames: 1, height: info.height, width: info.width }
    return { ...size, rgb: toRgb(data, info.channels, { metadata, name, alpha: options.alpha }) }
  } catch (error) {
    if (error instanceof InputError) throw error
    const hint = `Give an undamaged ${FORMATS} file.`
    throw new InputError(`${name}: not a readable image (${firstLine(messageOf(error))})`, { hint, cause: error })
  }
}

function refuseUnlikePillow(metadata: Metadata, name: string): void {
  const cure = { hint: 'Convert it to 8-bit RGB.' }
  if (metadata.space === 'cmyk') throw new InputError(`${name}: CMYK images are not supported`, cure)
  // Pillow clips such images to white.
  if (metadata.space === 'grey16') throw new InputError(`${name}: 16-bit greyscale images are not supported`, cure)
}

interface AlphaContext {
  readonly metadata: Metadata
  readonly name: string
  readonly alpha: ImageOptions['alpha']
}

/** 1 = grey, 2 = grey and alpha, 3 = RGB, 4 = RGB and alpha. */
function toRgb(data: Uint8Array, channels: number, { metadata, name, alpha }: AlphaContext): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const pixels = data.length / channels
  const rgb = new Uint8Array(pixels * 3)
  // qwen-vl-utils composites true RGBA only; grey-alpha and palettes go through Pillow's convert, which drops alpha.
  const onWhite = alpha === 'white' && metadata.channels === 4 && !metadata.isPalette
  for (let i = 0; i < pixels; i++) {
    const opacity = channels % 2 === 0 ? (data[i * channels + channels - 1] ?? 255) : 255
    if (opacity < 255 && metadata.format === 'gif') throw transparentGif(name)
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (channels > 2 ? c : 0)] ?? 0
      rgb[i * 3 + c] = onWhite ? blendOnWhite(value, opacity) : value
    }
  }
  return rgb
}

/** Pillow's 8-bit blend: division by 255 by shifts, rounded. */
function blendOnWhite(value: number, opacity: number): number {
  const sum = 255 * (255 - opacity) + value * opacity + 128
  return ((sum >> 8) + sum) >> 8
}

/** The decoder loses the colour under transparent pixels, which Pillow keeps. */
function transparentGif(name: string): InputError {
  return new InputError(`${name}: transparent GIFs are not supported`, { hint: 'Convert it to PNG.' })
}
