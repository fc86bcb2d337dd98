/**
 * Writes a small Qwen2-VL with random weights as a Hugging Face folder: true architecture, tiny sizes, the tokenizer that
 * was trained for it. Weights are N(0, 0.02) but for norms, as transformers initialises them.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomStream } from 'vsgrpo/data'
import type { TrainedTokenizer } from './make-tokenizer.js'

const text = { hidden: 128, layers: 4, heads: 4, kvHeads: 2, intermediate: 384, sections: [4, 6, 6], theta: 100 }
const vision = { depth: 3, width: 128, heads: 4, mlpRatio: 4, patch: 14, frames: 2, merge: 2 }
const std = 0.02

export async function writeInitialCheckpoint(dir: string, tokenizer: TrainedTokenizer, seed: number): Promise<void> {
  await mkdir(dir, { recursive: true })
  const id = (token: string) => tokenizer.ids[token] ?? -1
  const json = (file: string, value: object) => writeFile(join(dir, file), `${JSON.stringify(value, null, 2)}\n`)
  await json('config.json', config(tokenizer.vocabSize, id))
  await json('generation_config.json', {
    bos_token_id: id('<|endoftext|>'),
    pad_token_id: id('<|endoftext|>'),
    eos_token_id: [id('<|im_end|>'), id('<|endoftext|>')],
  })
  await json('preprocessor_config.json', processorConfig)
  await json('tokenizer.json', tokenizer.tokenizerJson)
  await json('tokenizer_config.json', tokenizer.tokenizerConfig)
  await writeFile(join(dir, 'model.safetensors'), safetensors(tensorShapes(tokenizer.vocabSize), seed))
}

/** The published flat layout: every transformers since 4.45 reads it. */
function config(vocabSize: number, id: (token: string) => number): object {
  return {
    architectures: ['Qwen2VLForConditionalGeneration'],
    model_type: 'qwen2_vl',
    torch_dtype: 'bfloat16',
    hidden_size: text.hidden,
    num_hidden_layers: text.layers,
    num_attention_heads: text.heads,
    num_key_value_heads: text.kvHeads,
    intermediate_size: text.intermediate,
    vocab_size: vocabSize,
    tie_word_embeddings: true,
    rms_norm_eps: 1e-6,
    rope_theta: text.theta,
    rope_scaling: { type: 'mrope', mrope_section: text.sections },
    max_position_embeddings: 2048,
    use_sliding_window: false,
    sliding_window: 2048,
    max_window_layers: text.layers,
    hidden_act: 'silu',
    attention_dropout: 0,
    initializer_range: std,
    bos_token_id: id('<|endoftext|>'),
    eos_token_id: id('<|im_end|>'),
    vision_start_token_id: id('<|vision_start|>'),
    vision_end_token_id: id('<|vision_end|>'),
    vision_token_id: id('<|vision_pad|>'),
    image_token_id: id('<|image_pad|>'),
    video_token_id: id('<|video_pad|>'),
    vision_config: {
      depth: vision.depth,
      embed_dim: vision.width,
      num_heads: vision.heads,
      mlp_ratio: vision.mlpRatio,
      in_chans: 3,
      hidden_size: text.hidden,
      patch_size: vision.patch,
      spatial_merge_size: vision.merge,
      temporal_patch_size: vision.frames,
    },
  }
}

/** Qwen2-VL's constants; the lower pixel limit lets 56 x 56 frames through unscaled. */
const processorConfig = {
  image_processor_type: 'Qwen2VLImageProcessor',
  processor_class: 'Qwen2VLProcessor',
  min_pixels: 3136,
  max_pixels: 12845056,
  patch_size: vision.patch,
  temporal_patch_size: vision.frames,
  merge_size: vision.merge,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
}

type Shapes = ReadonlyMap<string, readonly number[]>

function tensorShapes(vocabSize: number): Shapes {
  const { hidden, intermediate, heads, kvHeads } = text
  const kv = (hidden / heads) * kvHeads
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocabSize, hidden]]])
  const linear = (name: string, out: number, input: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [out, input])
    if (bias) shapes.set(`${name}.bias`, [out])
  }
  for (let i = 0; i < text.layers; i++) {
    const at = `model.layers.${i}.`
    linear(`${at}self_attn.q_proj`, hidden, hidden, true)
    linear(`${at}self_attn.k_proj`, kv, hidden, true)
    linear(`${at}self_attn.v_proj`, kv, hidden, true)
    linear(`${at}self_attn.o_proj`, hidden, hidden, false)
    linear(`${at}mlp.gate_proj`, intermediate, hidden, false)
    linear(`${at}mlp.up_proj`, intermediate, hidden, false)
    linear(`${at}mlp.down_proj`, hidden, intermediate, false)
    shapes.set(`${at}input_layernorm.weight`, [hidden])
    shapes.set(`${at}post_attention_layernorm.weight`, [hidden])
  }
  shapes.set('model.norm.weight', [hidden])
  addVisionShapes(shapes, linear)
  return shapes
}

function addVisionShapes(
  shapes: Map<string, readonly number[]>,
  linear: (name: string, out: number, input: number, bias: boolean) => void,
): void {
  const { width, mlpRatio, patch, frames, merge } = vision
  shapes.set('visual.patch_embed.proj.weight', [width, 3, frames, patch, patch])
  const norm = (name: string) => shapes.set(`${name}.weight`, [width]).set(`${name}.bias`, [width])
  for (let i = 0; i < vision.depth; i++) {
    const at = `visual.blocks.${i}.`
    norm(`${at}norm1`)
    norm(`${at}norm2`)
    linear(`${at}attn.qkv`, 3 * width, width, true)
    linear(`${at}attn.proj`, width, width, true)
    linear(`${at}mlp.fc1`, mlpRatio * width, width, true)
    linear(`${at}mlp.fc2`, width, mlpRatio * width, true)
  }
  const merged = width * merge * merge
  norm('visual.merger.ln_q')
  linear('visual.merger.mlp.0', merged, merged, true)
  linear('visual.merger.mlp.2', text.hidden, merged, true)
}

function safetensors(shapes: Shapes, seed: number): Uint8Array {
  const header: Record<string, object> = { __metadata__: { format: 'pt' } }
  const values = new Float32Array([...shapes.values()].reduce((sum, shape) => sum + size(shape), 0))
  let at = 0
  for (const [name, shape] of shapes) {
    header[name] = { dtype: 'F32', shape, data_offsets: [4 * at, 4 * (at + size(shape))] }
    fill(values.subarray(at, at + size(shape)), name, shape, seed)
    at += size(shape)
  }
  const unpadded = JSON.stringify(header)
  const json = new TextEncoder().encode(unpadded.padEnd(Math.ceil(unpadded.length / 8) * 8))
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true)
  return Buffer.concat([length, json, new Uint8Array(values.buffer)])
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** Norm weights are 1, biases 0, everything else is drawn. */
function fill(values: Float32Array, name: string, shape: readonly number[], seed: number): void {
  if (shape.length === 1) {
    values.fill(/norm|ln_q/.test(name) && name.endsWith('.weight') ? 1 : 0)
    return
  }
  const random = randomStream('init', seed, name)
  for (let i = 0; i < values.length; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
    values[i] = std * radius * Math.cos(2 * Math.PI * random.next())
  }
}
