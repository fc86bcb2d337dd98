/**
 * Image and video settings of a checkpoint: preprocessor_config.json, video_preprocessor_config.json or transformers 5's
 * processor_config.json, in the order in which transformers looks. Missing limits are an error: the class defaults of
 * transformers are not the published ones, and would change the number of tokens silently.
 */
import { join } from 'node:path'
import { isObject, type JsonObject } from '../json.js'
import { checkpointError, positiveNumber, readOptionalJson } from './json-file.js'

export interface MediaSettings {
  /** Limits of height x width of a frame after resizing. */
  readonly minPixels: number
  readonly maxPixels: number
  readonly patchSize: number
  readonly temporalPatchSize: number
  readonly mergeSize: number
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

export interface VideoSettings extends MediaSettings {
  /** Frames per second taken from a video file, when the file says so. */
  readonly fps?: number
  readonly minFrames?: number
  readonly maxFrames?: number
}

export interface ProcessorConfig {
  readonly image: MediaSettings
  readonly video: VideoSettings
}

interface Source {
  readonly file: string
  readonly value: JsonObject
}

export async function readProcessorConfig(dir: string): Promise<ProcessorConfig> {
  const nested = await source(dir, 'processor_config.json')
  const image = inside(nested, 'image_processor') ?? (await source(dir, 'preprocessor_config.json'))
  const ownVideo = inside(nested, 'video_processor') ?? (await source(dir, 'video_preprocessor_config.json'))
  const video = ownVideo ?? image
  if (!image || !video) {
    throw checkpointError(
      `${join(dir, 'preprocessor_config.json')}: file not found`,
      "Copy it (or processor_config.json) from the model's page: it holds the pixel limits.",
    )
  }
  return { image: mediaSettings(image), video: videoSettings(video) }
}

function videoSettings(source: Source): VideoSettings {
  const { value } = source
  return {
    ...mediaSettings(source),
    fps: optionalNumber(value.fps),
    minFrames: optionalNumber(value.min_frames),
    maxFrames: optionalNumber(value.max_frames),
  }
}

function mediaSettings({ file, value }: Source): MediaSettings {
  refuseUnsupported(value, file)
  const size = isObject(value.size) ? value.size : {}
  // min_pixels and max_pixels win over size, as in transformers.
  const limits = {
    min_pixels: value.min_pixels ?? size.shortest_edge ?? size.min_pixels,
    max_pixels: value.max_pixels ?? size.longest_edge ?? size.max_pixels,
  }
  const settings: MediaSettings = {
    minPixels: positiveNumber(limits, 'min_pixels', file),
    maxPixels: positiveNumber(limits, 'max_pixels', file),
    patchSize: positiveNumber(value, 'patch_size', file),
    temporalPatchSize: positiveNumber(value, 'temporal_patch_size', file),
    mergeSize: positiveNumber(value, 'merge_size', file),
    mean: threeNumbers(value, 'image_mean', file),
    std: threeNumbers(value, 'image_std', file),
  }
  if (settings.minPixels > settings.maxPixels) throw checkpointError(`${file}: min_pixels is larger than max_pixels`)
  return settings
}

/** Steps switched off or changed would be ignored silently otherwise. */
function refuseUnsupported(value: JsonObject, file: string): void {
  for (const step of ['do_resize', 'do_rescale', 'do_normalize', 'do_convert_rgb']) {
    if (value[step] === false) throw checkpointError(`${file}: '${step}': false is not supported`)
  }
  const factor = value.rescale_factor
  if (typeof factor === 'number' && Math.abs(factor * 255 - 1) > 1e-9) {
    throw checkpointError(`${file}: 'rescale_factor' must be 1/255, got ${factor}`)
  }
  const bicubic = 3
  if (value.resample !== undefined && value.resample !== null && value.resample !== bicubic) {
    throw checkpointError(`${file}: 'resample' must be ${bicubic} (bicubic), got ${JSON.stringify(value.resample)}`)
  }
}

function threeNumbers(value: JsonObject, field: string, file: string): readonly [number, number, number] {
  const list: unknown = value[field]
  const [r, g, b]: unknown[] = Array.isArray(list) ? list : []
  if (typeof r === 'number' && typeof g === 'number' && typeof b === 'number') return [r, g, b]
  throw checkpointError(`${file}: field '${field}' must hold three numbers, got ${JSON.stringify(list)}`)
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

async function source(dir: string, name: string): Promise<Source | undefined> {
  const value = await readOptionalJson(dir, name)
  return value && { file: join(dir, name), value }
}

function inside(source: Source | undefined, field: string): Source | undefined {
  const value = source?.value[field]
  return source && isObject(value) ? { file: `${source.file}: ${field}`, value } : undefined
}
