/** What the benchmarks on a GPU run on: the published sizes of Qwen2-VL, the workloads, and what each must cost. Pure. */
import { images } from '../rig/workloads.mjs'

const vision = { depth: 32, width: 1280, heads: 16 }

/** config.json of Qwen2-VL-2B-Instruct and Qwen2-VL-7B-Instruct; `tiny` is for trying the scripts out. */
export const models = {
  '2b': {
    ...{ hidden: 1536, layers: 28, heads: 12, kvHeads: 2, intermediate: 8960, vocabulary: 151936, tied: true },
    vision,
  },
  '7b': {
    ...{ hidden: 3584, layers: 28, heads: 28, kvHeads: 4, intermediate: 18944, vocabulary: 152064, tied: false },
    vision,
  },
  tiny: {
    ...{ hidden: 128, layers: 2, heads: 4, kvHeads: 2, intermediate: 256, vocabulary: 151936, tied: true },
    vision: { depth: 2, width: 64, heads: 4 },
  },
}

/** About as many tokens as 16 frames of a video, as images, which TRL takes: 9 of 280 x 280 make a prompt of 950 tokens. */
export function prompt({ group, newTokens }, isTiny) {
  return images(isTiny ? 'tiny' : 'paper', { images: isTiny ? 1 : 9, size: isTiny ? 56 : 280, group, newTokens })
}

/** Parameters of the decoder's matrices, and of the head. */
function matrices({ hidden, layers, heads, kvHeads, intermediate, vocabulary }) {
  const keysAndValues = 2 * (hidden / heads) * kvHeads
  return {
    body: layers * (2 * hidden * hidden + keysAndValues * hidden + 3 * hidden * intermediate),
    head: vocabulary * hidden,
  }
}

/**
 * Bytes that a decoding step cannot do without, in bfloat16: every weight once, each prompt's keys and values once for all its
 * rows, and each row's own.
 * @param {typeof models['2b']} model
 * @param {{ prompts: number, promptTokens: number, rows: number, ownTokens: number }} cache ownTokens: of a row, on average
 */
export function decodeBytes(model, { prompts, promptTokens, rows, ownTokens }) {
  const { body, head } = matrices(model)
  const token = 2 * model.layers * (model.hidden / model.heads) * model.kvHeads
  return 2 * (body + head + token * (prompts * promptTokens + rows * ownTokens))
}

/**
 * Floating-point operations of a forward and backward pass over whole sequences: six for each weight and token, and causal
 * attention. What is computed again for want of memory does not count.
 * @param {typeof models['2b']} model
 * @param {{ sequences: number, length: number }} batch
 */
export function trainingFlops(model, { sequences, length }) {
  const { body, head } = matrices(model)
  const attention = 6 * model.layers * model.hidden * length * length
  return sequences * (6 * (body + head) * length + attention)
}
