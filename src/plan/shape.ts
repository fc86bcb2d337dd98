/**
 * The sizes in a model's config.json that memory and time depend on, and what follows from them: its tensors and how many
 * parameters train. No weights are read. Mirrors native/model/config.cpp and the parameters of native/model.
 */
import { join } from 'node:path'
import type { JsonObject } from '../json.js'
import type { DType, LoadOptions } from '../native.js'
import { checkpointError, integer, readJson, section } from '../processing/json-file.js'

export interface VisionShape {
  readonly depth: number
  readonly width: number
  readonly heads: number
  readonly mlpWidth: number
  /** Numbers of a patch: channels x frames x side x side. */
  readonly patchValues: number
  /** Patches that become one token. */
  readonly mergeUnit: number
}

export interface ModelShape {
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly intermediate: number
  readonly vocabulary: number
  /** The head is the embedding. */
  readonly tied: boolean
  readonly vision: VisionShape
}

/** Parameters by where they are. */
export interface ParameterCounts {
  readonly total: number
  /** Those with gradients and optimizer state. */
  readonly trainable: number
  /** Parameters of one decoder layer's matrices. */
  readonly layer: number
  /** Parameters of the LoRA adapters; part of `total` and of `trainable`. */
  readonly adapters: number
}

/** Bytes of one number. */
export function bytesOf(dtype: DType): 2 | 4 {
  return dtype === 'bfloat16' ? 2 : 4
}

/** Throws an InputError that names the file and the field when one is missing. */
export async function readShape(dir: string): Promise<ModelShape> {
  const file = join(dir, 'config.json')
  const config = await readJson(dir, 'config.json')
  const text = section(config, 'text_config') ?? config
  const size = (field: string) => positive(text, field, file)
  const [hidden, heads] = [size('hidden_size'), size('num_attention_heads')]
  const kvHeads = size('num_key_value_heads')
  const headDim = hidden / heads
  if (!Number.isInteger(headDim) || heads % kvHeads !== 0)
    throw checkpointError(
      `${file}: hidden_size ${hidden} must divide by num_attention_heads ${heads}, and that by num_key_value_heads ${kvHeads}`,
    )
  checkRope(text, headDim, file)
  return {
    hidden,
    heads,
    layers: size('num_hidden_layers'),
    kvHeads,
    headDim,
    intermediate: size('intermediate_size'),
    vocabulary: size('vocab_size'),
    tied: config.tie_word_embeddings === true || text.tie_word_embeddings === true,
    vision: readVision(section(config, 'vision_config') ?? {}, `${file}: vision_config`),
  }
}

/** Positions of three kinds share the halves of a head; what else the engine wants of them it says when it loads the model. */
function checkRope(text: JsonObject, headDim: number, file: string): void {
  const rope = section(text, 'rope_parameters') ?? section(text, 'rope_scaling')
  const sections = rope?.mrope_section
  const half = Array.isArray(sections) ? sections.reduce((sum, part) => sum + part, 0) : Math.ceil(headDim / 2)
  if (2 * half === headDim) return
  throw checkpointError(
    `${file}: mrope_section must sum to half of hidden_size / num_attention_heads = ${headDim}, got ${half}`,
  )
}

function readVision(vision: JsonObject, file: string): VisionShape {
  const size = (field: string, fallback?: number) =>
    vision[field] === undefined && fallback !== undefined ? fallback : positive(vision, field, file)
  const ratio = typeof vision.mlp_ratio === 'number' ? vision.mlp_ratio : 4
  const [width, heads] = [size('embed_dim'), size('num_heads')]
  if (width % (4 * heads) !== 0)
    throw checkpointError(`${file}: embed_dim ${width} / num_heads ${heads} must be a multiple of 4`)
  return {
    depth: size('depth'),
    width,
    heads,
    mlpWidth: Math.trunc(width * ratio),
    patchValues: size('in_channels', 3) * size('temporal_patch_size', 2) * size('patch_size', 14) ** 2,
    mergeUnit: size('spatial_merge_size', 2) ** 2,
  }
}

function positive(object: JsonObject, field: string, file: string): number {
  const value = integer(object, field, file)
  if (value > 0) return value
  throw checkpointError(`${file}: field '${field}' must be above 0, got ${value}`)
}

/** The decoder's linear layers by Hugging Face's names: rows out, columns in. */
export function linears(shape: ModelShape): Readonly<Record<string, readonly [out: number, columns: number]>> {
  const { hidden, intermediate, heads, kvHeads, headDim } = shape
  const [q, kv] = [heads * headDim, kvHeads * headDim]
  return {
    q_proj: [q, hidden],
    k_proj: [kv, hidden],
    v_proj: [kv, hidden],
    o_proj: [hidden, q],
    gate_proj: [intermediate, hidden],
    up_proj: [intermediate, hidden],
    down_proj: [hidden, intermediate],
  }
}

/** Name and shape of every tensor of a checkpoint, as published. */
export function* tensorsOf(shape: ModelShape): Generator<readonly [name: string, shape: readonly number[]]> {
  const { hidden, layers, vocabulary, tied } = shape
  yield ['model.embed_tokens.weight', [vocabulary, hidden]]
  for (let i = 0; i < layers; i++) {
    const prefix = `model.layers.${i}`
    yield [`${prefix}.input_layernorm.weight`, [hidden]]
    yield [`${prefix}.post_attention_layernorm.weight`, [hidden]]
    for (const [name, size] of Object.entries(linears(shape))) {
      const place = `${prefix}.${/^[qkvo]_/.test(name) ? 'self_attn' : 'mlp'}.${name}`
      yield [`${place}.weight`, size]
      if (/^[qkv]_/.test(name)) yield [`${place}.bias`, [size[0]]]
    }
  }
  yield ['model.norm.weight', [hidden]]
  if (!tied) yield ['lm_head.weight', [vocabulary, hidden]]
  yield* visionTensors(shape)
}

function* visionTensors({ hidden, vision }: ModelShape): Generator<readonly [string, readonly number[]]> {
  const { depth, width, mlpWidth, patchValues, mergeUnit } = vision
  yield ['visual.patch_embed.proj.weight', [width, patchValues]]
  for (let i = 0; i < depth; i++) {
    const block = `visual.blocks.${i}`
    for (const norm of ['norm1', 'norm2']) yield* withBias(`${block}.${norm}`, [width])
    yield* withBias(`${block}.attn.qkv`, [3 * width, width])
    yield* withBias(`${block}.attn.proj`, [width, width])
    yield* withBias(`${block}.mlp.fc1`, [mlpWidth, width])
    yield* withBias(`${block}.mlp.fc2`, [width, mlpWidth])
  }
  const merged = width * mergeUnit
  yield* withBias('visual.merger.ln_q', [width])
  yield* withBias('visual.merger.mlp.0', [merged, merged])
  yield* withBias('visual.merger.mlp.2', [hidden, merged])
}

function* withBias(name: string, size: readonly number[]): Generator<readonly [string, readonly number[]]> {
  yield [`${name}.weight`, size]
  yield [`${name}.bias`, size.slice(0, 1)]
}

/** What a model loaded with these options holds. */
export function countParameters(
  shape: ModelShape,
  load: Pick<LoadOptions, 'trainable' | 'freezeVision' | 'lora'>,
): ParameterCounts {
  const sizes = [...tensorsOf(shape)].map(([name, size]) => [name, product(size)] as const)
  const sum = (wanted: (name: string) => boolean) =>
    sizes.reduce((total, [name, count]) => total + (wanted(name) ? count : 0), 0)
  const all = sum(() => true)
  const adapters = adapterParameters(shape, load.lora)
  const trained = load.lora ? adapters : all - (load.freezeVision ? sum((name) => name.startsWith('visual.')) : 0)
  return {
    total: all + adapters,
    trainable: load.trainable ? trained : 0,
    layer: Object.values(linears(shape)).reduce((total, size) => total + product(size), 0),
    adapters,
  }
}

function adapterParameters(shape: ModelShape, lora: LoadOptions['lora']): number {
  if (!lora) return 0
  const known = linears(shape)
  const wide = lora.targetModules.reduce((sum, name) => sum + (known[name]?.[0] ?? 0) + (known[name]?.[1] ?? 0), 0)
  return lora.r * wide * shape.layers
}

function product(size: readonly number[]): number {
  return size.reduce((total, value) => total * value, 1)
}
