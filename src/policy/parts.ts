/**
 * Many prompts, some hundred at a time: what is answered together has to fit into memory, and video frames are what fills it.
 */
import type { Prompt } from '../types.js'

/** A part ends at this many prompts, or at this many numbers of pixels, whichever comes first. */
const promptsPerPart = 256
const pixelsPerPart = 1e8

/** Joins groups, in order, to parts; a group stays whole, and media that prompts of a part share count once. */
export async function* inParts<T extends { readonly prompt: Prompt }>(
  groups: AsyncIterable<readonly T[]>,
): AsyncGenerator<T[]> {
  let part: T[] = []
  let pixels = 0
  let seen = new Set<string>()
  for await (const group of groups) {
    part.push(...group)
    for (const { key, patches } of group.flatMap(({ prompt }) => prompt.media)) {
      if (!seen.has(key)) pixels += patches.length
      seen.add(key)
    }
    if (part.length < promptsPerPart && pixels < pixelsPerPart) continue
    yield part
    part = []
    pixels = 0
    seen = new Set()
  }
  if (part.length > 0) yield part
}
