/**
 * Video files to RGB frames. Two runs of ffmpeg: one counts packets and reads the frame rate, one decodes the chosen frames as
 * PPM pictures on a pipe.
 */
import { InputError } from '../errors.js'
import { type FfmpegOptions, runFfmpeg } from '../ffmpeg.js'
import type { FrameRate } from './frame-sampling.js'
import type { Frames } from './frames.js'
import { PpmReader } from './ppm.js'

export interface VideoOptions {
  /** Chooses frame indices, ascending; throws RangeError when the file cannot give them. */
  readonly sample: (rate: FrameRate) => readonly number[]
  readonly signal?: AbortSignal
}

/** The sampled frames at the file's own size. Throws InputError naming the file, or when ffmpeg is missing. */
export async function decodeVideo(file: string, { sample, signal }: VideoOptions): Promise<Frames> {
  const rate = await frameRateOf(file, signal)
  if (!rate) throw new InputError(`${file}: no video frames found`, { hint: 'Give a playable video file.' })
  const indices = chooseFrames(file, rate, sample)
  const pictures = new PpmReader(indices.length)
  await ffmpeg(extractArguments(file, indices), file, { onOutput: (chunk) => pictures.push(chunk), signal })
  const { frames, count } = pictures
  if (frames) return frames
  throw new InputError(`${file}: only ${count} of ${indices.length} frames could be decoded`, {
    hint: 'The file may be cut off; fetch it again.',
  })
}

async function frameRateOf(file: string, signal?: AbortSignal): Promise<FrameRate | undefined> {
  let packets = ''
  const onOutput = (chunk: Uint8Array) => {
    packets += Buffer.from(chunk).toString('latin1')
  }
  await ffmpeg(['-i', file, '-map', '0:v:0', '-c', 'copy', '-f', 'framecrc', '-'], file, { onOutput, signal })
  return parseFrameRate(packets)
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
export function parseFrameRate(text: string): FrameRate | undefined {
  const [, numerator, denominator] = /^#tb 0: (\d+)\/(\d+)/m.exec(text) ?? []
  const durations = text
    .split('\n')
    .filter((line) => line.startsWith('0,'))
    .map((line) => Number(line.split(',')[3]))
  const seconds = (durations.reduce((sum, d) => sum + d, 0) * Number(numerator)) / Number(denominator)
  return seconds > 0 ? { total: durations.length, fps: durations.length / seconds } : undefined
}

/** What a reader of its output cannot hold is the file's fault too. */
async function ffmpeg(args: readonly string[], file: string, reading: Pick<FfmpegOptions, 'onOutput' | 'signal'>) {
  try {
    const failure = await runFfmpeg(args, { instead: 'give a list of frame images', ...reading })
    if (failure !== undefined) throw new InputError(`${file}: ffmpeg cannot read it (${failure})`)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new InputError(`${file}: ${error.message}`, { cause: error })
  }
}
