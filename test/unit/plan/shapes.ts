/** Sizes that the tests of the plan share: Qwen2-VL-2B and 7B as published, and an optimizer step of the paper's kind. */

import type { Rates } from '../../../src/plan/rates.js'
import type { Setup } from '../../../src/plan/setup.js'
import type { ModelShape } from '../../../src/plan/shape.js'
import type { Workload } from '../../../src/plan/workload.js'

const vision = { depth: 32, width: 1280, heads: 16, mlpWidth: 5120, patchValues: 1176, mergeUnit: 4 }

export const qwen2b: ModelShape = {
  hidden: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  headDim: 128,
  intermediate: 8960,
  vocabulary: 151_936,
  tied: true,
  vision,
}

export const qwen7b: ModelShape = {
  ...{ hidden: 3584, layers: 28, heads: 28, kvHeads: 4, headDim: 128, intermediate: 18_944 },
  ...{ vocabulary: 152_064, tied: false, vision },
}

/** Eight images of 308 x 308 and 14 completions of 128 tokens. */
export const step: Workload = {
  prompt: { tokens: 1016, shared: 994, patches: 3872, framePatches: 484 },
  completions: 14,
  completionTokens: 128,
  learnsPrompt: false,
  prompts: 1,
  promptsPerMedia: 1,
  generation: { prompts: 1, updates: 1, atOnce: true },
  scoring: { reference: 1, policy: 0 },
  headTwice: false,
  heldMedia: 0,
  keptMediaTokens: 0,
}

export const setup: Setup = {
  load: { dtype: 'bfloat16', trainable: true, freezeVision: false },
  reference: 'copy',
  optimStateDtype: 'float32',
  gradDtype: 'float32',
  gradientCheckpointing: false,
  tokensPerMicroBatch: 8192,
  tokensPerGeneration: 32_768,
}

/** A machine of a teraflop; decoding and updating at 5 and 1 billion parameters a second. */
export const rates: Rates = {
  forward: { decoder: 1e-12, vision: 1e-12, head: 1e-12 },
  backward: { decoder: 2e-12, vision: 2e-12, head: 3e-12 },
  decode: { rows: 14, layers: 2e-10, head: 2e-10 },
  optimizer: 1e-9,
}
