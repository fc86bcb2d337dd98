/**
 * Video files to RGB frames. Two runs of ffmpeg: one counts packets and reads the frame rate, one decodes the chosen frames as
 * PPM pictures on a pipe.
 */
import { InputError } from '../errors.js'
import { runFfmpeg } from '../ffmpeg.js'
import type { FrameRate } from './frame-sampling.js'
import { type Frames, stackFrames } from './frames.js'

export interface VideoOptions {
  /** Chooses frame indices, ascending; throws RangeError when the file cannot give them. */
  readonly sample: (rate: FrameRate) => readonly number[]
  readonly signal?: AbortSignal
}

/** The sampled frames at the file's own size. Throws InputError naming the file, or when ffmpeg is missing. */
export async function decodeVideo(file: string, { sample, signal }: VideoOptions): Promise<Frames> {
  const rate = parseFrameRate(
    await ffmpeg(['-i', file, '-map', '0:v:0', '-c', 'copy', '-f', 'framecrc', '-'], file, signal),
  )
  if (!rate) throw new InputError(`${file}: no video frames found`, { hint: 'Give a playable video file.' })
  const indices = chooseFrames(file, rate, sample)
  const images = parsePpm(await ffmpeg(extractArguments(file, indices), file, signal))
  if (images.length < indices.length) {
    throw new InputError(`${file}: only ${images.length} of ${indices.length} frames could be decoded`, {
      hint: 'The file may be cut off; fetch it again.',
    })
  }
  return stackFrames(images.slice(0, indices.length))
}

function chooseFrames(file: string, rate: FrameRate, sample: VideoOptions['sample']): readonly number[] {
  try {
    return sample(rate)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new InputError(`${file}: too short: ${error.message}`, { hint: 'Give a list of frame images.', cause: error })
  }
}

/** New timestamps at a constant rate, so that no ffmpeg version drops or doubles a selected frame. */
function extractArguments(file: string, indices: readonly number[]): string[] {
  const selected = [...new Set(indices)].map((index) => `eq(n\\,${index})`).join('+')
  const filter = `select='${selected}',setpts=N/(25*TB)`
  const output = ['-r', '25', '-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'image2pipe', '-']
  return ['-i', file, '-map', '0:v:0', '-vf', filter, '-frames:v', String(indices.length), ...output]
}

/** framecrc prints `#tb 0: 1/15360` and one line `stream, dts, pts, duration, size, crc` for each packet. */
export function parseFrameRate(output: Uint8Array): FrameRate | undefined {
  const text = Buffer.from(output).toString('latin1')
  const [, numerator, denominator] = /^#tb 0: (\d+)\/(\d+)/m.exec(text) ?? []
  const durations = text
    .split('\n')
    .filter((line) => line.startsWith('0,'))
    .map((line) => Number(line.split(',')[3]))
  const seconds = (durations.reduce((sum, d) => sum + d, 0) * Number(numerator)) / Number(denominator)
  return seconds > 0 ? { total: durations.length, fps: durations.length / seconds } : undefined
}

/** Concatenated binary PPM pictures: `P6 width height 255`, one white space, then width * height * 3 bytes. */
export function parsePpm(bytes: Uint8Array): Frames[] {
  const images: Frames[] = []
  let offset = 0
  while (offset < bytes.length) {
    const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(
      Buffer.from(bytes.subarray(offset, offset + 64)).toString('latin1'),
    )
    if (!header) break
    const [width, height] = [Number(header[1]), Number(header[2])]
    const start = offset + header[0].length
    const end = start + width * height * 3
    if (end > bytes.length) break
    images.push({ rgb: bytes.subarray(start, end), frames: 1, height, width })
    offset = end
  }
  return images
}

async function ffmpeg(args: readonly string[], file: string, signal?: AbortSignal): Promise<Buffer> {
  const { output, failure } = await runFfmpeg(args, { instead: 'give a list of frame images', signal })
  if (failure === undefined) return output
  throw new InputError(`${file}: ffmpeg cannot read it (${failure})`)
}
