/** Images and videos to patches: read, decode, resize, cut; cached by content. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { AbortedError, errorCode, InputError, systemCause } from '../errors.js'
import { native, type PatchifyOptions } from '../native.js'
import { Turns } from '../turns.js'
import type { Media } from '../types.js'
import { byteValues } from './byte-values.js'
import {
  evenIndices,
  type FrameRate,
  type SamplingOptions,
  sampleQwenVlUtils,
  sampleTransformers,
} from './frame-sampling.js'
import { checkFrames, type Frames, stackFrames } from './frames.js'
import { decodeImage } from './image.js'
import { MediaCache } from './media-cache.js'
import type { MediaSettings, ProcessorConfig } from './processor-config.js'
import type { Size } from './resize.js'
import { type ItemShape, type Kernel, type Profile, planResize, type ResizeStep } from './resize-plan.js'
import { decodeVideo } from './video.js'

/** An image or video as a message names it, paths already absolute; or its pixels. */
export type MediaSource =
  | { readonly kind: 'image' | 'video'; readonly file: string }
  | { readonly kind: 'video'; readonly files: readonly string[] }
  | { readonly kind: 'image' | 'video'; readonly pixels: Frames }

export interface MediaReaderOptions {
  readonly config: ProcessorConfig
  readonly profile: Profile
  readonly sampling: SamplingOptions
  readonly cacheBytes: number
}

type Decode = () => Promise<Frames>

/** Images and videos that are read at a time: decoded frames take many times what is left of them. */
const readAtOnce = Math.min(8, 2 * availableParallelism())

export class MediaReader {
  readonly #options: MediaReaderOptions
  readonly #cache: MediaCache
  readonly #turns = new Turns(readAtOnce)
  /** Everything but the pixels that decides the patches. */
  readonly #settingsKey: string

  constructor(options: MediaReaderOptions) {
    this.#options = options
    this.#cache = new MediaCache(options.cacheBytes)
    this.#settingsKey = JSON.stringify([options.profile, options.config, options.sampling])
  }

  /** Throws InputError naming the file that cannot be read or does not fit. */
  read(source: MediaSource, signal?: AbortSignal): Promise<Media> {
    return this.#turns.run(async () => {
      if (signal?.aborted) throw new AbortedError(undefined, signal.reason)
      return this.#read(source, signal)
    })
  }

  async #read(source: MediaSource, signal?: AbortSignal): Promise<Media> {
    if ('pixels' in source) {
      const { pixels, kind } = source
      checkPixels(pixels)
      const shape = [pixels.frames, pixels.height, pixels.width].join()
      const key = this.#key([kind, 'pixels', shape, pixels.rgb])
      return this.#cache.get(key, () => this.#process(key, kind === 'image' ? 'image' : 'frame-list', pixels, 'frames'))
    }
    if ('files' in source) return this.#readFrameList(source.files)
    const bytes = await readBytes(source.file)
    const key = this.#key([source.kind, 'file', bytes])
    const decode: Decode = () =>
      source.kind === 'image' ? this.#decodeImage(bytes, source.file) : this.#decodeVideo(source.file, signal)
    const kind = source.kind === 'image' ? 'image' : 'video-file'
    return this.#cache.get(key, async () => this.#process(key, kind, await decode(), source.file))
  }

  async #readFrameList(files: readonly string[]): Promise<Media> {
    const name = files[0] ?? 'video'
    const contents = await Promise.all(files.map(readBytes))
    const key = this.#key(['video', 'files', ...contents.flatMap((bytes) => [String(bytes.length), bytes])])
    return this.#cache.get(key, async () => {
      const images = await Promise.all(contents.map((bytes, i) => this.#decodeImage(bytes, files[i] ?? name)))
      const frames = namingInput(name, () => stackFrames(images))
      return this.#process(key, 'frame-list', frames, name)
    })
  }

  #decodeImage(bytes: Uint8Array, file: string): Promise<Frames> {
    const utils = this.#options.profile === 'qwen-vl-utils'
    return decodeImage(bytes, file, { orient: !utils, alpha: utils ? 'white' : 'drop' })
  }

  #decodeVideo(file: string, signal?: AbortSignal): Promise<Frames> {
    return decodeVideo(file, { signal, sample: (rate) => this.#sample(rate) })
  }

  #sample(rate: FrameRate): readonly number[] {
    const { profile, sampling, config } = this.#options
    const { fps, minFrames, maxFrames } = config.video
    if (sampling.spacing === 'ends' && sampling.frames !== undefined) return evenIndices(rate.total, sampling.frames)
    return profile === 'qwen-vl-utils'
      ? sampleQwenVlUtils(rate, sampling)
      : sampleTransformers(rate, { fps, minFrames, maxFrames, ...sampling })
  }

  async #process(key: string, kind: ItemShape['kind'], frames: Frames, name: string): Promise<Media> {
    const { profile, config } = this.#options
    const steps = namingInput(name, () => planResize({ ...frames, kind }, profile, config))
    let current = frames
    for (const step of steps.slice(0, -1)) current = await resizeFrames(current, step)
    const last = steps.at(-1) ?? { ...current, kernel: 'torchvision-uint8' }
    const settings = kind === 'image' ? config.image : config.video
    const patches = await native().patchify(current.rgb, {
      ...shapeOptions(current, last, last.kernel),
      ...cutOptions(settings),
    })
    const arithmetic = profile === 'hf-slow' && kind === 'image' ? 'slow' : 'fast'
    return { key, patches, byteValues: byteValues(settings, arithmetic), grid: gridOf(current.frames, last, settings) }
  }

  #key(parts: readonly (string | Uint8Array)[]): string {
    const hash = createHash('sha256').update(this.#settingsKey)
    for (const part of parts) hash.update(part)
    return hash.digest('hex')
  }
}

function gridOf(frames: number, size: Size, settings: MediaSettings): Media['grid'] {
  const { patchSize, temporalPatchSize } = settings
  return [Math.ceil(frames / temporalPatchSize), size.height / patchSize, size.width / patchSize]
}

function shapeOptions(frames: Frames, size: Size, resize: Kernel) {
  const { height, width } = frames
  return { frames: frames.frames, height, width, resizedHeight: size.height, resizedWidth: size.width, resize }
}

function cutOptions({ patchSize, temporalPatchSize, mergeSize }: MediaSettings) {
  return { patchSize, temporalPatchSize, mergeSize }
}

/** A resize alone: patches of one token, put back in raster order. */
async function resizeFrames(frames: Frames, step: ResizeStep): Promise<Frames> {
  const side = 28
  const options: PatchifyOptions = {
    ...shapeOptions(frames, step, step.kernel),
    ...{ patchSize: side, temporalPatchSize: 1, mergeSize: 1 },
  }
  const patches = await native().patchify(frames.rgb, options)
  const { height, width } = step
  const rgb = new Uint8Array(frames.frames * height * width * 3)
  const columns = width / side
  for (let i = 0; i < rgb.length; i++) {
    const x = Math.floor(i / 3) % width
    const line = Math.floor(i / (3 * width))
    const y = line % height
    const blocks = Math.floor(line / height) * (height / side) + Math.floor(y / side)
    const block = blocks * columns + Math.floor(x / side)
    const inside = ((i % 3) * side + (y % side)) * side + (x % side)
    rgb[i] = patches[block * 3 * side * side + inside] ?? 0
  }
  return { rgb, frames: frames.frames, height, width }
}

function checkPixels(pixels: Frames): void {
  namingInput('frames', () => checkFrames(pixels))
}

/** Turns the RangeErrors of pure functions into InputErrors that name the file. */
function namingInput<T>(name: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new InputError(`${name}: ${error.message}`, { cause: error })
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    // A data file's folder stands before it by now, and its slashes are one.
    const [, scheme, rest] = /(?:^|\/)(https?|s3|gs|hf):\/+(.*)$/.exec(file) ?? []
    if (scheme)
      throw unread(`${scheme}://${rest}: media are not read from URLs`, 'Download it, and name the file.', error)
    if (errorCode(error) === 'ENOENT')
      throw unread(`${file}: file not found`, "Paths in messages are relative to the data file's folder.", error)
    if (errorCode(error) === 'EISDIR')
      throw unread(`${file}: that is a folder`, 'Name a file in it; of a video also a list of its frames.', error)
    throw unread(`${file}: cannot be read (${systemCause(error)})`, 'Paths start from the data file.', error)
  }
}

function unread(message: string, hint: string, cause: unknown): InputError {
  return new InputError(message, { hint, cause })
}
