/**
 * How much arithmetic a run took, counted rather than timed, so that budgets are the same on every machine: two operations
 * per weight for each token that passes through the decoder and each patch through the vision tower, three passes where
 * something is learned (forward, and twice that backward). What questions share is counted once, as it is computed.
 * Attention over the few dozen tokens of a prompt is left out for all alike (about 7 %).
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

export interface Weights {
  readonly text: number
  /** Only tokens of answers pass through the head; looking embeddings up is free. */
  readonly head: number
  readonly vision: number
}

/** What a room and a question take, on average. */
export interface Lengths {
  /** Tokens before the question, film included, once per room. */
  readonly prefix: number
  /** Tokens of a question. */
  readonly question: number
  /** Patches of a film. */
  readonly patches: number
}

/** One step: so many rooms and questions, and tokens of all answers together. */
export interface Batch {
  readonly rooms: number
  readonly questions: number
  readonly answerTokens: number
}

/** Passes over everything in a step. */
export interface Passes {
  /** Sampling, and scoring under the reference. */
  readonly forward: number
  readonly learning: number
}

export const passes = {
  sft: { forward: 0, learning: 1 },
  /** The reference scores every pair. */
  dpo: { forward: 1, learning: 1 },
  /** Sampling; with a KL penalty the reference too. */
  grpo: (beta: number): Passes => ({ forward: beta > 0 ? 2 : 1, learning: 1 }),
} as const

/** Floating-point operations. */
export function operations({ rooms, questions, answerTokens }: Batch, lengths: Lengths, weights: Weights, of: Passes) {
  const tokens = rooms * lengths.prefix + questions * lengths.question + answerTokens
  const once = 2 * (tokens * weights.text + answerTokens * weights.head + rooms * lengths.patches * weights.vision)
  return once * (of.forward + 3 * of.learning)
}

/** Weights of a checkpoint, from its safetensors header. */
export function countWeights(dir: string): Weights {
  const counts = { text: 0, head: 0, vision: 0 }
  for (const [name, { shape }] of Object.entries(readHeader(join(dir, 'model.safetensors')))) {
    // Tied: the embeddings are the head.
    const part = name.startsWith('visual.') ? 'vision' : name === 'model.embed_tokens.weight' ? 'head' : 'text'
    counts[part] += shape.reduce((product, n) => product * n, 1)
  }
  return counts
}

function readHeader(file: string): Record<string, { shape: number[] }> {
  const descriptor = openSync(file, 'r')
  try {
    const length = Buffer.alloc(8)
    readSync(descriptor, length, 0, 8, 0)
    const header = Buffer.alloc(Number(length.readBigUInt64LE()))
    readSync(descriptor, header, 0, header.length, 8)
    const { __metadata__: _, ...tensors } = JSON.parse(header.toString('utf8'))
    return tensors
  } finally {
    closeSync(descriptor)
  }
}
