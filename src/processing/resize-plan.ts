/**
 * Which resizes a profile applies, one after the other, between a decoded frame and the patches.
 *
 * hf             transformers' default processor: torchvision on bytes, the checkpoint's limits.
 * hf-slow        use_fast=False: images by Pillow; videos as in hf, because transformers has no slow video processor.
 * qwen-vl-utils  process_vision_info of qwen-vl-utils 0.0.14 (its own limits and budgets), then hf's processor.
 */
import type { PatchifyOptions } from '../native.js'
import type { MediaSettings, ProcessorConfig } from './processor-config.js'
import { type Size, smartResize } from './resize.js'

export type Profile = 'hf' | 'hf-slow' | 'qwen-vl-utils'

export type Kernel = PatchifyOptions['resize']

export interface ResizeStep extends Size {
  readonly kernel: Kernel
}

/** What a decoded item is: a still image, the frames of a video file, or a video given as a list of frames. */
export interface ItemShape extends Size {
  readonly kind: 'image' | 'video-file' | 'frame-list'
  readonly frames: number
}

const FACTOR = 28
const TOKEN = FACTOR * FACTOR
const VIDEO_MIN = 128 * TOKEN
const VIDEO_MAX = 768 * TOKEN
const VIDEO_TOTAL = 128000 * TOKEN * 0.9

/** At least one step; the last may keep the size. Throws RangeError for sides beyond 200:1. */
export function planResize(item: ItemShape, profile: Profile, config: ProcessorConfig): ResizeStep[] {
  const settings = item.kind === 'image' ? config.image : config.video
  const kernel: Kernel = profile === 'hf-slow' && item.kind === 'image' ? 'pillow' : 'torchvision-uint8'
  if (profile !== 'qwen-vl-utils') return [processorStep(item, settings, kernel)]
  const steps = utilsSteps(item)
  steps.push(processorStep(steps.at(-1) ?? item, settings, kernel))
  return withoutIdle(item, steps)
}

function processorStep(size: Size, settings: MediaSettings, kernel: Kernel): ResizeStep {
  const { minPixels, maxPixels, patchSize, mergeSize } = settings
  return { kernel, ...smartResize(size, { factor: patchSize * mergeSize, minPixels, maxPixels, variant: 'hf' }) }
}

function utilsSteps(item: ItemShape): ResizeStep[] {
  if (item.kind === 'image') return [stillStep(item, FACTOR)]
  // fetch_video hands fetch_image the factor where it expects the patch size: frames of a list are rounded to 56.
  const first = item.kind === 'frame-list' ? [stillStep(item, 2 * FACTOR)] : []
  const pairs = Math.ceil(item.frames / 2)
  const maxPixels = Math.max(Math.min(VIDEO_MAX, VIDEO_TOTAL / pairs), Math.trunc(VIDEO_MIN * 1.05))
  const limits = { factor: FACTOR, minPixels: VIDEO_MIN, maxPixels, variant: 'qwen' } as const
  return [...first, { kernel: 'torchvision-float', ...smartResize(first[0] ?? item, limits) }]
}

/** fetch_image: 4 to 16384 squares of `factor`. */
function stillStep(size: Size, factor: number): ResizeStep {
  const limits = { factor, minPixels: 4 * factor ** 2, maxPixels: 16384 * factor ** 2, variant: 'qwen' } as const
  return { kernel: 'pillow', ...smartResize(size, limits) }
}

/** A resize to the same size changes nothing; one step stays, because patches are cut from its result. */
function withoutIdle(item: Size, steps: readonly ResizeStep[]): ResizeStep[] {
  let size: Size = item
  const busy = steps.filter((step) => {
    const changes = step.height !== size.height || step.width !== size.width
    size = step
    return changes
  })
  return busy.length > 0 ? busy : steps.slice(-1)
}
