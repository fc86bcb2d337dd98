/**
 * What the engine keeps in memory, as bytes. Every entry names the native file that it mirrors: when that file changes,
 * this is where the plan has to learn of it. `bench/plan.mjs` measures how well they fit.
 */
import type { DType, LoadOptions, StateDType } from '../native.js'
import { bytesOf, type ModelShape } from './shape.js'

/** Bytes of each parameter. */
export interface ParameterBytes {
  readonly weight: number
  /** native/ops/parameter.h: in float32 unless `gradDtype` says otherwise. */
  readonly gradient: number
  /** native/optim/adamw.h: two moments and, for bfloat16 weights, the 16 bits of the float32 master below the weight's own. */
  readonly optimizer: number
}

export function parameterBytes(dtype: DType, moments: StateDType, gradients: DType): ParameterBytes {
  const low = dtype === 'bfloat16' ? 2 : 0
  return { weight: bytesOf(dtype), gradient: bytesOf(gradients), optimizer: 2 * momentBytes(moments) + low }
}

/** native/optim/adamw_step.h, Moment: a code, and a float32 for every 256. Small parameters, in float32, do not count. */
function momentBytes(moments: StateDType): number {
  return moments === 'int8' ? 1 + 4 / 256 : bytesOf(moments)
}

/** native/ops/token_logps.cpp: logits of one chunk, and the least rows that it has. */
export const chunk = { bytes: 96 * 2 ** 20, leastRows: 16, multiple: 128 } as const

/** native/ops/bf16_gemm.cpp, multiply_deep: float32 sums of the gradient of the head's input that stand side by side. */
export const deepSums = 8

/** Rows are padded to buckets: `decoder` and `vision` (in tokens) to 128, `head` to 16. native/core/buckets.h, bucket_rows. */
export function bucketRows(rows: number, least: number): number {
  const octave = rows < 2 ? 1 : 2 ** Math.floor(Math.log2(rows))
  const step = Math.max(least, Math.floor(octave / 8))
  return Math.ceil(rows / step) * step
}

/** Tensors as bytes of one of their rows: whether glibc keeps a block that is freed depends on how large it is. */
export type RowBytes = readonly number[]

/**
 * What one row of a decoder layer keeps for its backward pass. native/model/decoder.cpp with the tensors that ops/norm,
 * linear, rope, attention and activation save: input and normed input; q, k, v; attention; residual and normed residual; gate
 * and up; their product; float32: one statistic per norm, a log-sum-exp per head. With LoRA also each adapter's middle.
 */
export function layerBytes(shape: ModelShape, { dtype, lora }: Pick<LoadOptions, 'dtype' | 'lora'>): RowBytes {
  const { hidden, heads, kvHeads, headDim, intermediate } = shape
  const size = bytesOf(dtype)
  const [q, kv] = [heads * headDim * size, kvHeads * headDim * size]
  const middles = lora ? lora.targetModules.map(() => lora.r * size) : []
  const wide = [hidden, hidden, hidden, hidden, 2 * intermediate, intermediate].map((width) => width * size)
  return [...wide, q, kv, kv, q, 4, 4, 4 * heads, ...middles]
}

/** The same of the last layer, which computes only the rows with targets after its attention: per row, per target. */
export function lastLayerBytes(shape: ModelShape, dtype: DType): { readonly row: RowBytes; readonly target: RowBytes } {
  const { hidden, heads, kvHeads, headDim, intermediate } = shape
  const size = bytesOf(dtype)
  const [q, kv] = [heads * headDim * size, kvHeads * headDim * size]
  return {
    row: [hidden * size, hidden * size, q, kv, kv, q, 4, 4 * heads],
    // Attention, residual, normed residual; gate and up, product; what goes into the final norm and comes out of it.
    target: [q, ...[hidden, hidden, 2 * intermediate, intermediate, hidden, hidden].map((width) => width * size), 8],
  }
}

/** Cosines and sines of a row's position, float32. native/ops/rope.cpp. */
export function ropeBytes(headDim: number): number {
  return 2 * 4 * headDim
}

/** What a layer's backward pass has at a time: gradients of product, gate and up, packed operands. native/ops. */
export function backwardBytes({ hidden, intermediate }: ModelShape, dtype: DType): RowBytes {
  return [hidden, hidden, intermediate, 2 * intermediate, intermediate].map((width) => width * bytesOf(dtype))
}

/** What a layer has at a time when nothing is kept: residual, its sum, normed; gate and up, product. */
export function passBytes({ hidden, intermediate }: ModelShape, dtype: DType): RowBytes {
  return [hidden, hidden, hidden, 2 * intermediate, intermediate].map((width) => width * bytesOf(dtype))
}

/**
 * A patch in a vision block that trains: input, normed input; q, k, v; attention, residual, normed residual; the MLP's middle
 * before and after its activation; float32: two statistics per norm, a log-sum-exp per head. native/model/vision.cpp.
 */
export function blockBytes({ vision: { width, mlpWidth, heads } }: ModelShape, dtype: DType): RowBytes {
  const values = [width, width, width, width, width, width, width, width, mlpWidth, mlpWidth]
  return [...values.map((value) => value * bytesOf(dtype)), 4, 4, 4, 4, 4 * heads]
}

/** A patch on its way in, once: its values in the model's type, rope; and out: the merger's norms and middle, its token. */
export function patchBytes({ hidden, vision }: ModelShape, dtype: DType): RowBytes {
  const { patchValues, width, heads, mergeUnit } = vision
  const values = [patchValues, width, width, width, width, hidden / mergeUnit]
  return [...values.map((value) => value * bytesOf(dtype)), ropeBytes(width / heads)]
}

/** A patch in a block where nothing is kept: q, k, v, or what is left of them, and the MLP's middle twice. */
export function blockPassBytes({ vision: { width, mlpWidth } }: ModelShape, dtype: DType): RowBytes {
  return [width, width, width, mlpWidth, mlpWidth].map((value) => value * bytesOf(dtype))
}

/**
 * A prompt's row in all layers' caches: keys, values, and the values a second time while they are transposed; a new
 * token's: keys and values. native/generate/generate.cpp, KvCache in native/ops/attention.cpp.
 */
export function cacheBytes(shape: ModelShape, dtype: DType): { readonly prompt: number; readonly token: number } {
  const one = shape.layers * shape.kvHeads * shape.headDim * bytesOf(dtype)
  return { prompt: 3 * one, token: 2 * one }
}

/** A row of logits while tokens are drawn. native/generate/generate.cpp. */
export function logitsBytes({ vocabulary }: ModelShape, dtype: DType): number {
  return vocabulary * bytesOf(dtype)
}

/** Keys and values of the prompts' rows a second time, beside those of the completions. native/model/decoder.cpp. */
export function joinedBytes({ kvHeads, headDim }: ModelShape, dtype: DType): RowBytes {
  const one = kvHeads * headDim * bytesOf(dtype)
  return [one, one]
}
