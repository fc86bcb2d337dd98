/** Random Qwen2-VL checkpoints in the published layout: config.json and bfloat16 safetensors, without any framework. */
import { closeSync, openSync, writeSync } from 'node:fs'

/**
 * @typedef {object} Sizes
 * @property {number} hidden
 * @property {number} layers
 * @property {number} heads
 * @property {number} kvHeads
 * @property {number} intermediate
 * @property {number} vocabulary
 * @property {boolean} tied
 * @property {{ depth: number, width: number, heads: number }} vision
 */

/**
 * config.json as published, with Qwen2-VL's token ids.
 * @param {Sizes} sizes
 */
export function configOf({ hidden, layers, heads, kvHeads, intermediate, vocabulary, tied, vision }) {
  // A quarter of the frequencies for time, the rest shared by rows and columns: 16, 24, 24 at width 128.
  const time = hidden / heads / 8
  const side = (hidden / heads / 2 - time) / 2
  return {
    architectures: ['Qwen2VLForConditionalGeneration'],
    model_type: 'qwen2_vl',
    torch_dtype: 'bfloat16',
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    intermediate_size: intermediate,
    vocab_size: vocabulary,
    tie_word_embeddings: tied,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000,
    rope_scaling: { type: 'mrope', mrope_section: [time, side, side] },
    max_position_embeddings: 32768,
    use_sliding_window: false,
    sliding_window: 32768,
    max_window_layers: layers,
    hidden_act: 'silu',
    attention_dropout: 0,
    initializer_range: 0.02,
    bos_token_id: 151643,
    eos_token_id: 151645,
    vision_start_token_id: 151652,
    vision_end_token_id: 151653,
    vision_token_id: 151654,
    image_token_id: 151655,
    video_token_id: 151656,
    vision_config: {
      depth: vision.depth,
      embed_dim: vision.width,
      num_heads: vision.heads,
      mlp_ratio: 4,
      in_chans: 3,
      in_channels: 3,
      hidden_size: hidden,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
    },
  }
}

/**
 * Name and shape of every tensor, in the published order of modules.
 * @param {Sizes} sizes
 * @returns {Generator<[string, number[]]>}
 */
export function* tensors({ hidden, layers, heads, kvHeads, intermediate, vocabulary, tied, vision }) {
  const kv = (hidden / heads) * kvHeads
  yield ['model.embed_tokens.weight', [vocabulary, hidden]]
  for (let i = 0; i < layers; i++) {
    const name = `model.layers.${i}.`
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) yield [`${name}${norm}.weight`, [hidden]]
    yield* linear(`${name}self_attn.q_proj`, hidden, hidden)
    yield* linear(`${name}self_attn.k_proj`, kv, hidden)
    yield* linear(`${name}self_attn.v_proj`, kv, hidden)
    yield [`${name}self_attn.o_proj.weight`, [hidden, hidden]]
    for (const half of ['gate_proj', 'up_proj']) yield [`${name}mlp.${half}.weight`, [intermediate, hidden]]
    yield [`${name}mlp.down_proj.weight`, [hidden, intermediate]]
  }
  yield ['model.norm.weight', [hidden]]
  if (!tied) yield ['lm_head.weight', [vocabulary, hidden]]
  const { width } = vision
  yield ['visual.patch_embed.proj.weight', [width, 3, 2, 14, 14]]
  for (let i = 0; i < vision.depth; i++) {
    const name = `visual.blocks.${i}.`
    for (const norm of ['norm1', 'norm2']) yield* affine(name + norm, width)
    yield* linear(`${name}attn.qkv`, 3 * width, width)
    yield* linear(`${name}attn.proj`, width, width)
    yield* linear(`${name}mlp.fc1`, 4 * width, width)
    yield* linear(`${name}mlp.fc2`, width, 4 * width)
  }
  yield* affine('visual.merger.ln_q', width)
  yield* linear('visual.merger.mlp.0', 4 * width, 4 * width)
  yield* linear('visual.merger.mlp.2', hidden, 4 * width)
}

/** @returns {Generator<[string, number[]]>} */
function* linear(name, out, width) {
  yield [`${name}.weight`, [out, width]]
  yield [`${name}.bias`, [out]]
}

/** @returns {Generator<[string, number[]]>} */
function* affine(name, width) {
  for (const part of ['weight', 'bias']) yield [`${name}.${part}`, [width]]
}

/**
 * Writes the tensors as bfloat16. `fill(name, shape, count)` gives a tensor's bytes in any number of blocks.
 * @param {string} file
 * @param {Iterable<[string, number[]]>} list
 * @param {(name: string, shape: readonly number[], count: number) => Iterable<Uint8Array>} fill
 */
export function writeSafetensors(file, list, fill) {
  const all = [...list]
  const countOf = (shape) => shape.reduce((product, size) => product * size, 1)
  const header = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const [name, shape] of all) {
    const begin = end
    end += 2 * countOf(shape)
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, end] }
  }
  const json = JSON.stringify(header)
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const handle = openSync(file, 'w')
  try {
    for (const part of [length, text]) writeAll(handle, part)
    for (const [name, shape] of all) {
      for (const block of fill(name, shape, countOf(shape))) writeAll(handle, block)
    }
  } finally {
    closeSync(handle)
  }
}

/** A write may take less than it is given. */
function writeAll(handle, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done)
}

/**
 * Weights as a model has them before training: norms 1, biases 0, everything else N(0, 0.02). The same seed gives the same
 * bytes. Values are drawn from a table of 65,536, which is enough for timing and quick for hundreds of millions.
 * @param {number} seed
 */
export function randomWeights(seed) {
  const random = uniform(seed)
  const table = Uint16Array.from({ length: 1 << 16 }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    return bfloat16(0.02 * radius * Math.cos(2 * Math.PI * random()))
  })
  const one = bfloat16(1)
  return function* fill(name, shape, count) {
    const isNorm = /(norm\d?|layernorm|ln_q)\.weight$/.test(name)
    let state = Math.floor(random() * 2 ** 32) | 1
    for (let left = count; left > 0; left -= 1 << 22) {
      const block = new Uint16Array(Math.min(left, 1 << 22))
      if (shape.length === 1) block.fill(isNorm ? one : 0)
      else {
        for (let i = 0; i < block.length; i++) {
          // Xorshift: its upper half picks from the table.
          state ^= state << 13
          state ^= state >>> 17
          state ^= state << 5
          block[i] = table[state >>> 16]
        }
      }
      yield new Uint8Array(block.buffer)
    }
  }
}

/**
 * Numbers from 0 to 1 by a seed (mulberry32).
 * @param {number} seed
 */
export function uniform(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The upper half of the float32, which is near enough for random weights. */
function bfloat16(value) {
  return new Uint16Array(Float32Array.of(value).buffer)[1]
}
