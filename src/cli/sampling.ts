/** `sampling` of a configuration: which frames of video files a model is shown. Lists of frames are never resampled. */
import { InputError } from '../errors.js'
import type { SamplingOptions } from '../processing/index.js'
import { choice, integer, positive, resolveFields } from '../train/fields.js'

const fields = {
  fps: positive(undefined),
  frames: integer(undefined, 2),
  spacing: choice('processor', ['processor', 'ends']),
  minFrames: integer(undefined, 2),
  maxFrames: integer(undefined, 2),
}

export const samplingNames = Object.keys(fields)

/** The options that are given; an InputError names one that cannot be. */
export function samplingOptions(given: Readonly<Record<string, unknown>>): SamplingOptions {
  const options = resolveFields(fields, given, { where: 'sampling' })
  if (options.spacing === 'ends' && options.frames === undefined) {
    throw new InputError("[sampling] spacing: 'ends' needs frames, how many to take", { code: 'ERR_VSGRPO_CONFIG' })
  }
  // One that is undefined would hide what the checkpoint's processor says.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
