/** What the benchmarks run on: the model's sizes and the shapes of the workloads. Pure. */

/** Sizes of the benchmarks' Qwen2-VL: 105 million parameters, three quarters of them in the embedding, as in small models. */
export const model = {
  hidden: 512,
  layers: 8,
  heads: 8,
  kvHeads: 2,
  intermediate: 1408,
  vocabulary: 151936,
  tied: true,
  vision: { depth: 4, width: 256, heads: 4 },
}

/** Tokens that the chat template and the question below add to a prompt's media tokens; 2 more stand around each item. */
const TEXT_TOKENS = 32
/** 13 tokens of Qwen2's tokenizer. */
const QUESTION = 'How many chairs are there in all of these rooms taken together?'
const MORE_QUESTIONS = [
  QUESTION,
  'How many tables are there in all of these rooms taken together?',
  'How many lamps are there in all of these rooms taken together?',
  'How many doors are there in all of these rooms taken together?',
]

/**
 * One optimizer step: `questions` prompts about the same media, `group` completions of `newTokens` tokens for each.
 * @typedef {object} Workload
 * @property {string} name
 * @property {number} images number of images in a prompt, 0 with a video
 * @property {number} frames number of frames of the video in a prompt, 0 with images
 * @property {number} size pixels of an image's or a frame's side, a multiple of 28
 * @property {number} group
 * @property {number} newTokens
 * @property {readonly string[]} questions
 */

/** @type {Readonly<Record<string, Workload>>} */
export const workloads = {
  A: images('A', { images: 4, size: 140, group: 8, newTokens: 32 }),
  B: images('B', { images: 8, size: 308, group: 14, newTokens: 8 }),
  C: images('C', { images: 8, size: 308, group: 14, newTokens: 128 }),
  D: { name: 'D', images: 0, frames: 20, size: 280, group: 8, newTokens: 32, questions: MORE_QUESTIONS },
}

/**
 * A workload with images and one question.
 * @param {string} name
 * @param {{ images: number, size: number, group: number, newTokens: number }} shape
 * @returns {Workload}
 */
export function images(name, shape) {
  return { name, frames: 0, questions: [QUESTION], ...shape }
}

/**
 * The workload of this name; throws with the names that there are.
 * @param {string} name
 */
export function workloadOf(name) {
  const found = Object.hasOwn(workloads, name) ? workloads[name] : undefined
  if (found) return found
  throw new Error(`[--workload] expected one of ${Object.keys(workloads).join(', ')}, got '${name}'`)
}

/**
 * Tokens of one prompt: media, what stands around it, template and question.
 * @param {Workload} workload
 */
export function promptTokens({ images: count, frames, size }) {
  const perFrame = (size / 28) ** 2
  const items = count > 0 ? count : 1
  // Two frames make one temporal patch.
  const mediaTokens = count > 0 ? count * perFrame : Math.ceil(frames / 2) * perFrame
  return mediaTokens + 2 * items + TEXT_TOKENS
}
