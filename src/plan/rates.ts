/**
 * How fast this machine computes, measured in about a second: the engine runs a few layers of the model's sizes, with zeros for
 * weights, through the same calls that training makes. A faster engine or machine therefore needs no change here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Addon, LoadOptions, NativeModel } from '../native.js'
import { writeBlankModel } from './blank.js'
import { bucketRows } from './engine.js'
import { layerProducts, visionFlops } from './flops.js'
import { bytesOf, countParameters, type ModelShape } from './shape.js'
import { further, mediaBatch, textBatch, timeDecoding, timePass, timeSteps } from './timing.js'
import type { Workload } from './workload.js'

/** Seconds. */
export interface Rates {
  /** Per operation of a forward pass, by what computes it … */
  readonly forward: PartRates
  /** … and of the backward pass, per operation of its forward pass. */
  readonly backward: PartRates
  /** Of a decoding step of so many rows, per parameter that it reads: the layers', and the head's with drawing the tokens. */
  readonly decode: { readonly rows: number; readonly layers: number; readonly head: number }
  /** Of an optimizer step, per parameter. */
  readonly optimizer: number
}

export interface PartRates {
  readonly decoder: number
  readonly vision: number
  readonly head: number
}

/** Operations of a pass that is measured: many enough to outweigh its overhead. */
const operations = 12e9
/** Larger layers behave like these: parameters of one, and of all that are measured. */
const most = { layer: 64e6, layers: 24e6, rows: 64, targets: 128 } as const
/** Of a head that no cache holds. */
const headBytes = 64 * 2 ** 20

type Engine = Pick<Addon, 'Model' | 'Optimizer'>

interface Probe {
  readonly engine: Engine
  readonly load: LoadOptions
  readonly workload: Workload
}

/** Throws what the engine throws. `engine` computes nothing else meanwhile. */
export async function measureRates(
  engine: Engine,
  shape: ModelShape,
  load: LoadOptions,
  workload: Workload,
): Promise<Rates> {
  const probe: Probe = { engine, load: { ...load, trainable: true, adapterDir: undefined }, workload }
  const body = await withModel(probe, bodyShape(shape), (model, own) => measureBody(model, own, probe))
  const head = await withModel(probe, headShape(shape, load), (model, own) => measureHead(model, own, probe, body))
  const vision = await measureVision(probe, shape)
  return {
    forward: { decoder: body.forward, head: head.forward, vision: vision.forward },
    backward: { decoder: body.backward, head: head.backward, vision: vision.backward },
    decode: { rows: decodingRows(workload), layers: body.decode, head: head.decode },
    optimizer: await measureOptimizer(probe, shape),
  }
}

/** A few whole layers and next to no vocabulary. */
function bodyShape(shape: ModelShape): ModelShape {
  let layer = { ...shape, vocabulary: 1024, tied: true }
  const isEven = ({ heads, kvHeads, hidden }: ModelShape) => [heads, kvHeads, hidden].every((size) => size % 2 === 0)
  while (productsOf(layer) > most.layer && isEven(layer)) {
    const { hidden, heads, kvHeads, intermediate } = layer
    layer = {
      ...layer,
      hidden: hidden / 2,
      heads: heads / 2,
      kvHeads: kvHeads / 2,
      intermediate: Math.ceil(intermediate / 2),
    }
  }
  const layers = Math.max(1, Math.min(shape.layers, Math.round(most.layers / productsOf(layer))))
  return { ...layer, layers, vision: { ...shape.vision, depth: 1 } }
}

/** As much of the vocabulary as no cache holds, on next to no layer. */
function headShape(shape: ModelShape, { dtype }: LoadOptions): ModelShape {
  const blocks = Math.ceil(headBytes / (shape.hidden * bytesOf(dtype)) / 128)
  // An odd number of blocks: rows of logits that lie powers of two apart would fight for the same lines of the caches.
  const vocabulary = Math.max(512, Math.min(shape.vocabulary, 128 * (blocks - 1 + (blocks % 2))))
  return { ...thin(shape), vocabulary }
}

/** Next to no layer, no vocabulary and no tower. */
function thin(shape: ModelShape): ModelShape {
  const vision = { ...shape.vision, depth: 1 }
  return { ...shape, vocabulary: 1024, tied: true, layers: 1, intermediate: 64, vision }
}

function productsOf(shape: ModelShape): number {
  const { before, after } = layerProducts(shape)
  return before + after
}

async function withModel<T>(
  { engine, load }: Pick<Probe, 'engine' | 'load'>,
  shape: ModelShape,
  measure: (model: NativeModel, shape: ModelShape) => Promise<T>,
): Promise<T> {
  const model = await loadBlank(engine, shape, load)
  try {
    return await measure(model, shape)
  } finally {
    model.dispose()
  }
}

/** The model's folder is gone when it is loaded, and also when the process ends meanwhile. */
async function loadBlank(engine: Engine, shape: ModelShape, load: LoadOptions): Promise<NativeModel> {
  const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-plan-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  process.on('exit', remove)
  try {
    writeBlankModel(dir, shape)
    return await engine.Model.load(dir, load)
  } finally {
    process.off('exit', remove)
    remove()
  }
}

/** Every row has a target, so that all of the last layer is computed; the head is small enough not to count. */
async function measureBody(model: NativeModel, shape: ModelShape, { workload }: Probe) {
  const perRow = 2 * productsOf(shape) * shape.layers
  const tokens = Math.max(128, Math.min(1024, 128 * Math.round(operations / perRow / 128)))
  const pass = await timePass(model, textBatch(tokens), tokens)
  const step = await timeDecoding(model, decodingRows(workload))
  return {
    forward: pass.forward / (perRow * tokens),
    backward: pass.backward / (perRow * tokens),
    decode: step / (shape.layers * productsOf(shape)),
  }
}

async function measureHead(
  model: NativeModel,
  shape: ModelShape,
  { workload }: Probe,
  body: { readonly decode: number },
) {
  const targets = Math.max(16, Math.min(most.targets, workload.completions * workload.completionTokens))
  const parameters = shape.vocabulary * shape.hidden
  const batch = textBatch(targets)
  const [many, few] = [await timePass(model, batch, targets), await timePass(model, batch, 1)]
  const step = await timeDecoding(model, decodingRows(workload))
  return {
    forward: many.head / (2 * targets * parameters),
    // A few targets cost nearly what the weights' gradient costs to pass over, which a whole chunk does once.
    backward: further(few.backward, many.backward) / (2 * targets * parameters),
    // Where the head is small, the machine's load can make the layer's share seem all of it.
    decode: Math.max(step / 10, step - body.decode * productsOf(shape)) / parameters,
  }
}

/** Rows that decode at a time, or as many as cost the same each as more would. */
function decodingRows({ completions, generation }: Workload): number {
  return Math.min(most.rows, completions * (generation?.prompts ?? 1))
}

/** Some frames in two blocks of the tower; nothing where the workload has no media. */
async function measureVision({ engine, load, workload }: Probe, shape: ModelShape) {
  const { patches, framePatches } = workload.prompt
  if (patches === 0) return { forward: 0, backward: 0 }
  const own = { ...thin(shape), vision: { ...shape.vision, depth: Math.min(2, shape.vision.depth) } }
  const perFrame = visionFlops(own, framePatches, framePatches)
  // As many as the workload has or time allows, and enough to fill a bucket of 128 tokens, to which the engine pads.
  const wanted = Math.min(patches / framePatches, operations / perFrame)
  const frames = Math.ceil(Math.max(wanted, (128 * own.vision.mergeUnit) / framePatches))
  const { mergeUnit } = own.vision
  const flops = visionFlops(own, bucketRows((frames * framePatches) / mergeUnit, 128) * mergeUnit, framePatches)
  return withModel({ engine, load }, own, async (model) => {
    const { forward, backward } = await timePass(model, mediaBatch(own, frames, framePatches), 1)
    return { forward: forward / flops, backward: backward / flops }
  })
}

/** On parameters of any shape, all trained: more than caches hold, or as few as the model has. */
async function measureOptimizer({ engine, load }: Probe, shape: ModelShape): Promise<number> {
  const count = Math.min(8e6, countParameters(shape, load).trainable)
  const own = { ...thin(shape), vocabulary: Math.ceil(count / shape.hidden) }
  const whole = { ...load, lora: undefined, freezeVision: true }
  return withModel({ engine, load: whole }, own, async (model) => {
    const optimizer = await engine.Optimizer.create(model, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })
    try {
      return (await timeSteps(optimizer)) / countParameters(own, whole).trainable
    } finally {
      optimizer.dispose()
    }
  })
}
