/**
 * A checkpoint without content: the published layout with zeros for weights, as a file with holes, which takes no room on the
 * disk and no time to write. The engine runs on it as on any other, which is how the plan measures the machine.
 */
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type ModelShape, tensorsOf } from './shape.js'

/** Writes config.json and model.safetensors of these sizes into an existing folder. */
export function writeBlankModel(dir: string, shape: ModelShape): void {
  writeFileSync(join(dir, 'config.json'), `${JSON.stringify(configOf(shape), null, 2)}\n`)
  const header: Record<string, object> = {}
  let end = 0
  for (const [name, size] of tensorsOf(shape)) {
    const begin = end
    end += 2 * size.reduce((product, value) => product * value, 1)
    header[name] = { dtype: 'BF16', shape: storedShape(name, size), data_offsets: [begin, end] }
  }
  // The format wants tensors at multiples of 8 bytes: https://huggingface.co/docs/safetensors
  const json = JSON.stringify(header)
  const text = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(join(dir, 'model.safetensors'), 'w')
  try {
    writeSync(file, Buffer.concat([length, text]))
    ftruncateSync(file, 8 + text.length + end)
  } finally {
    closeSync(file)
  }
}

/** The patch embedding is published as a convolution: channels, frames, side, side. */
function storedShape(name: string, size: readonly number[]): readonly number[] {
  const [width = 0, values = 0] = size
  return name === 'visual.patch_embed.proj.weight'
    ? [width, 3, 2, ...Array<number>(2).fill(Math.sqrt(values / 6))]
    : size
}

function configOf(shape: ModelShape): object {
  const { hidden, layers, heads, kvHeads, headDim, intermediate, vocabulary, tied, vision } = shape
  // A quarter of the frequencies for time, as published; rows and columns share the rest.
  const time = Math.floor(headDim / 8)
  const rows = Math.floor((headDim / 2 - time) / 2)
  return {
    model_type: 'qwen2_vl',
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    intermediate_size: intermediate,
    vocab_size: vocabulary,
    tie_word_embeddings: tied,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: { type: 'mrope', mrope_section: [time, rows, headDim / 2 - time - rows] },
    max_position_embeddings: 32768,
    image_token_id: vocabulary - 2,
    video_token_id: vocabulary - 1,
    vision_config: {
      depth: vision.depth,
      embed_dim: vision.width,
      num_heads: vision.heads,
      mlp_ratio: vision.mlpWidth / vision.width,
      in_channels: 3,
      hidden_size: hidden,
      patch_size: Math.sqrt(vision.patchValues / 6),
      spatial_merge_size: Math.sqrt(vision.mergeUnit),
      temporal_patch_size: 2,
    },
  }
}
