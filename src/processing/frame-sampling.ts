/** Which frames of a video file are looked at: pure index arithmetic, equal to the two references' (tested on a table). */
import { roundHalfEven } from './resize.js'

export interface FrameRate {
  /** Frames in the file. */
  readonly total: number
  /** Frames per second of the file. */
  readonly fps: number
}

export interface SamplingOptions {
  /** Frames per second to take (default 2). */
  readonly fps?: number
  /** Exactly so many frames instead, made even. */
  readonly frames?: number
  /**
   * `processor` (default) spaces them as the processor does; `ends`: evenly from the first frame to the last, as VSI-Bench
   * takes them, all of them where there are fewer than `frames`, which must be given.
   */
  readonly spacing?: 'processor' | 'ends'
  /** Default 4. */
  readonly minFrames?: number
  /** Default 768. */
  readonly maxFrames?: number
}

const PAIR = 2
const DEFAULTS = { fps: 2, minFrames: 4, maxFrames: 768 }

/** qwen-vl-utils 0.0.14 (smart_nframes, then linspace rounded half to even). Throws RangeError when the file is too short. */
export function sampleQwenVlUtils({ total, fps }: FrameRate, options: SamplingOptions = {}): number[] {
  const minFrames = Math.ceil((options.minFrames ?? DEFAULTS.minFrames) / PAIR) * PAIR
  const maxFrames = Math.floor((options.maxFrames ?? Math.min(DEFAULTS.maxFrames, total)) / PAIR) * PAIR
  const wanted = (total / fps) * (options.fps ?? DEFAULTS.fps)
  const clamped = Math.min(Math.max(wanted, minFrames), maxFrames, total)
  const count =
    options.frames === undefined ? Math.floor(clamped / PAIR) * PAIR : roundHalfEven(options.frames / PAIR) * PAIR
  checkCount(count, total)
  return linspace(total - 1, count).map(roundHalfEven)
}

/**
 * transformers' Qwen2VLVideoProcessor.sample_frames (equal steps, truncated). Its arange(0, total, step) has one index more, a
 * frame that no file has, where total / step rounds up beyond the count.
 */
export function sampleTransformers({ total, fps }: FrameRate, options: SamplingOptions = {}): number[] {
  const maxFrames = Math.floor(Math.min(options.maxFrames ?? DEFAULTS.maxFrames, total) / PAIR) * PAIR
  const wanted = (total / fps) * (options.fps ?? DEFAULTS.fps)
  const clamped = Math.min(Math.max(wanted, options.minFrames ?? DEFAULTS.minFrames), maxFrames, total)
  const count =
    options.frames === undefined ? Math.floor(clamped / PAIR) * PAIR : roundHalfEven(options.frames / PAIR) * PAIR
  checkCount(count, total)
  const step = total / count
  return Array.from({ length: count }, (_, i) => Math.trunc(Math.fround(i * step)))
}

/** numpy.linspace(0, total - 1, count, dtype=int): evenly spaced from end to end, truncated; all where there are fewer. */
export function evenIndices(total: number, count: number): number[] {
  if (total <= count) return Array.from({ length: total }, (_, i) => i)
  if (count === 1) return [0]
  const step = (total - 1) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? total - 1 : Math.floor(i * step)))
}

function checkCount(count: number, total: number): void {
  if (count < PAIR || count > total) throw new RangeError(`${count} frames were to be taken of ${total}`)
}

/** torch.linspace(0, end, count) in float32, which counts from both ends. */
function linspace(end: number, count: number): number[] {
  const step = Math.fround(end / (count - 1))
  return Array.from({ length: count }, (_, i) =>
    i < count / 2 ? Math.fround(step * i) : Math.fround(end - Math.fround(step * (count - 1 - i))),
  )
}
