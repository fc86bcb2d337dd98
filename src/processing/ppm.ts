/** Binary PPM pictures, as ffmpeg prints them, in whatever pieces they come: put straight into where they stay. */
import type { Frames } from './frames.js'

/** `P6 width height 255` and one white space, before width * height * 3 bytes. */
const headerPattern = /^P6\s+([1-9]\d*)\s+([1-9]\d*)\s+255\s/
/** Bytes in which a header ends, or there is none. */
const longestHeader = 64

type Size = Pick<Frames, 'height' | 'width'>

export class PpmReader {
  private size: Size | undefined
  private rgb = new Uint8Array()
  /** Bytes of pictures so far, and of those with the one that is being read. */
  private filled = 0
  private end = 0
  /** What there is of the next header. */
  private header = ''

  /** `wanted`: pictures to read; what comes after them is left aside. */
  constructor(private readonly wanted: number) {}

  /** Pictures that are whole. */
  get count(): number {
    return Math.floor((this.filled * this.wanted) / Math.max(1, this.rgb.length))
  }

  /** The pictures, once all are whole. */
  get frames(): Frames | undefined {
    return this.size && this.filled === this.rgb.length
      ? { rgb: this.rgb, frames: this.wanted, ...this.size }
      : undefined
  }

  /** Throws a RangeError for pictures that no buffer holds, and for one of another size than the first. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.isOver; ) {
      const rest = bytes.subarray(at)
      at += this.filled < this.end ? this.takePixels(rest) : this.takeHeader(rest)
    }
  }

  /** After all pictures, and where something else than a picture came. */
  private get isOver(): boolean {
    return this.header.length === longestHeader || this.frames !== undefined
  }

  /** Both give the number of bytes that they took. */
  private takePixels(bytes: Uint8Array): number {
    const own = bytes.subarray(0, this.end - this.filled)
    this.rgb.set(own, this.filled)
    this.filled += own.length
    return own.length
  }

  private takeHeader(bytes: Uint8Array): number {
    const before = this.header.length
    this.header += Buffer.from(bytes.subarray(0, longestHeader - before)).toString('latin1')
    const [header, width, height] = headerPattern.exec(this.header) ?? []
    if (header === undefined) return bytes.length
    this.header = ''
    this.begin({ height: Number(height), width: Number(width) })
    return header.length - before
  }

  private begin(size: Size): void {
    if (!this.size) this.rgb = bufferFor(this.wanted, size)
    this.size ??= size
    if (size.height !== this.size.height || size.width !== this.size.width)
      throw new RangeError(`a frame is ${sides(size)}, the first is ${sides(this.size)}`)
    this.end += size.height * size.width * 3
  }
}

function bufferFor(frames: number, size: Size): Uint8Array<ArrayBuffer> {
  const bytes = frames * size.height * size.width * 3
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    const need = `${frames} frames of ${sides(size)} take ${(bytes / 1e9).toFixed(1)} GB, more than a buffer can hold here`
    throw new RangeError(`${need}; take fewer (sampling.frames, sampling.maxFrames), or a smaller video`, { cause })
  }
}

function sides({ height, width }: Size): string {
  return `${height}x${width}`
}
