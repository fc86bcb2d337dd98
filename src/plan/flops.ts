/** What passes and steps compute, in floating point operations: two per multiplication. Pure. */
import { bucketRows } from './engine.js'
import { linears, type ModelShape } from './shape.js'
import { type Pass, passOver, type Workload } from './workload.js'

/** A pass forward, by what computes it. */
export interface Flops {
  /** Products of the decoder's layers. */
  readonly decoder: number
  /** Scores and sums of the decoder's attention. */
  readonly attention: number
  /** The vision tower, its attention included. */
  readonly vision: number
  readonly head: number
}

/** Parameters of a layer's products that all rows go through, and of those that only rows with targets do in the last one. */
export function layerProducts(shape: ModelShape): { readonly before: number; readonly after: number } {
  const sizes = { before: 0, after: 0 }
  for (const [name, [out, columns]] of Object.entries(linears(shape))) {
    sizes[/^[qkv]_/.test(name) ? 'before' : 'after'] += out * columns
  }
  return sizes
}

/** Rows are padded to the engine's buckets, which counts where there are few; attention leaves padding out. */
export function flopsOf(shape: ModelShape, workload: Workload, prompts: number): Flops {
  const pass = passOver(workload, prompts)
  const { before, after } = layerProducts(shape)
  const { mergeUnit } = shape.vision
  const [rows, targets] = [bucketRows(pass.rows, 128), bucketRows(pass.targets, 16)]
  const patches = bucketRows(pass.patches / mergeUnit, 128) * mergeUnit
  return {
    decoder: 2 * ((before + after) * rows * (shape.layers - 1) + before * rows + after * targets),
    attention: attentionFlops(shape, seenKeys(workload, pass)),
    vision: visionFlops(shape, patches, workload.prompt.framePatches),
    head: 2 * targets * shape.hidden * shape.vocabulary,
  }
}

/** Of a pass over prompts alone, whose last rows are the only targets. */
export function prefillFlops(shape: ModelShape, workload: Workload, prompts: number): Flops {
  return flopsOf(shape, { ...workload, completions: 1, completionTokens: 1, learnsPrompt: false }, prompts)
}

/** Scores and weighted sums: two products per pair of query and key in every layer. */
export function attentionFlops({ layers, heads, headDim }: ModelShape, pairs: number): number {
  return 4 * heads * headDim * layers * pairs
}

/** Pairs of query and key: causal within a segment, all of its ancestors. */
function seenKeys({ prompt, completions, completionTokens }: Workload, { prompts, patches }: Pass): number {
  const { tokens, shared } = prompt
  const media = prompt.patches > 0 ? patches / prompt.patches : 0
  const own = tokens - shared
  const tail = Math.max(0, completionTokens - 1)
  const ofPrompt = own * shared + own ** 2 / 2 + completions * (tail * tokens + tail ** 2 / 2)
  return media * (shared ** 2 / 2) + prompts * ofPrompt
}

export function visionFlops({ hidden, vision }: ModelShape, patches: number, framePatches: number): number {
  const { depth, width, mlpWidth, patchValues, mergeUnit } = vision
  const block = 4 * width ** 2 + 2 * width * mlpWidth
  const merged = width * mergeUnit
  const merger = (merged ** 2 + merged * hidden) / mergeUnit
  return patches * (2 * (patchValues * width + depth * block + merger) + 4 * width * depth * framePatches)
}
