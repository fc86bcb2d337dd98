/** What passes over the model need in memory: for gradients, without them, for the loss, for sampling. Pure. */
import type { DType } from '../native.js'
import {
  backwardBytes,
  blockBytes,
  blockPassBytes,
  bucketRows,
  cacheBytes,
  chunk,
  deepSums,
  joinedBytes,
  lastLayerBytes,
  layerBytes,
  logitsBytes,
  passBytes,
  patchBytes,
  type RowBytes,
  ropeBytes,
} from './engine.js'
import type { Setup } from './setup.js'
import { bytesOf, linears, type ModelShape } from './shape.js'
import { type Pass, promptRows, type Workload } from './workload.js'

/**
 * What freed blocks between kept ones cost, as a part of what a pass keeps: glibc gives only blocks of 32 MiB and more back
 * at once (M_MMAP_THRESHOLD's largest automatic value, mallopt(3)). Adapters leave more, as each makes and frees a sum of its
 * layer's whole output: `adapters` where all seven kinds of linear layers have them. Measured.
 */
export const slack = { plain: 0.15, adapters: 0.8, below: 32 * 2 ** 20 } as const
/** A pass that may go on from rows that another has computed. */
export type KeptPass = Pass & { readonly before?: number }

/** What the passes of a gradient keep, and the largest temporaries of one. */
export function activationBytes(shape: ModelShape, passes: readonly KeptPass[], setup: Setup): number {
  const kept = passes.reduce((sum, pass) => sum + keptBytes(shape, pass, setup), 0)
  const rows = Math.max(...passes.map((pass) => bucketRows(pass.rows, 128)))
  return kept + residentBytes(backwardBytes(shape, setup.load.dtype), rows, holesOf(shape, setup))
}

export function keptBytes(shape: ModelShape, pass: KeptPass, setup: Setup): number {
  const { load, gradientCheckpointing: isRerun } = setup
  const [rows, targets] = [bucketRows(pass.rows, 128), bucketRows(pass.targets, 16)]
  const resident = (bytes: RowBytes, count: number) => residentBytes(bytes, count, holesOf(shape, setup))
  const layer = resident(layerBytes(shape, load), rows)
  const last = lastLayerBytes(shape, load.dtype)
  const input = [shape.hidden * bytesOf(load.dtype)]
  const body = isRerun
    ? shape.layers * resident(input, rows) + layer + 2 * resident(input, targets)
    : (shape.layers - 1) * layer + resident(last.row, rows) + resident(last.target, targets)
  const joined = shape.layers * resident(joinedBytes(shape, load.dtype), pass.before ?? 0)
  return body + joined + resident([ropeBytes(shape.headDim)], rows) + visionBytes(shape, pass.patches, setup)
}

/** What freed blocks between kept ones come to. */
function holesOf(shape: ModelShape, { load }: Setup): number {
  const adapted = load.lora ? load.lora.targetModules.length / Object.keys(linears(shape)).length : 0
  return slack.plain + adapted * slack.adapters
}

/** What the vision tower keeps; frozen, what it needs at a time, which stays with the process between what is kept. */
function visionBytes(shape: ModelShape, patches: number, { load, gradientCheckpointing: isRerun }: Setup): number {
  if (patches === 0) return 0
  const { dtype } = load
  const { depth, width, mergeUnit } = shape.vision
  const rows = bucketRows(patches / mergeUnit, 128) * mergeUnit
  const resident = (bytes: RowBytes) => residentBytes(bytes, rows, slack.plain)
  if (load.freezeVision) return visionPassBytes(shape, patches, dtype)
  const block = resident(blockBytes(shape, dtype))
  const blocks = isRerun ? depth * resident([width * bytesOf(dtype)]) + block : depth * block
  return blocks + resident(patchBytes(shape, dtype))
}

/** Bytes of tensors with `rows` rows, and of the holes that small ones leave. */
function residentBytes(bytes: RowBytes, rows: number, holes: number): number {
  return bytes.reduce((sum, each) => sum + each * rows * (each * rows < slack.below ? 1 + holes : 1), 0)
}

/** native/ops/token_logps.cpp, token_logps_backward: logits, and the gradient of the head's input on its way. */
export function lossChunkBytes(shape: ModelShape, { targets }: Pick<Pass, 'targets'>, dtype: DType): number {
  const { vocabulary, hidden } = shape
  const fit = Math.floor(chunk.bytes / (vocabulary * bytesOf(dtype)))
  const whole = fit >= chunk.multiple ? Math.floor(fit / chunk.multiple) * chunk.multiple : fit
  const rows = bucketRows(Math.min(targets, Math.max(chunk.leastRows, whole)), 16)
  return rows * vocabulary * bytesOf(dtype) + rows * hidden * 4 * deepSums
}

/** A prompt's pass needs its largest layer; drawing tokens needs their logits. */
export function inferenceBytes(shape: ModelShape, pass: Pass, dtype: DType): number {
  const layer = residentBytes(passBytes(shape, dtype), bucketRows(pass.rows, 128), slack.plain)
  return Math.max(visionPassBytes(shape, pass.patches, dtype), layer) + pass.targets * logitsBytes(shape, dtype)
}

function visionPassBytes(shape: ModelShape, patches: number, dtype: DType): number {
  const floats = shape.vision.patchValues * 4
  return residentBytes([...blockPassBytes(shape, dtype), ...patchBytes(shape, dtype), floats], patches, slack.plain)
}

export function kvCacheBytes(shape: ModelShape, workload: Workload, prompts: number, dtype: DType): number {
  const bytes = cacheBytes(shape, dtype)
  const { completions, completionTokens } = workload
  return promptRows(workload, prompts) * bytes.prompt + prompts * completions * completionTokens * bytes.token
}
