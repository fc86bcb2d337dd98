// What config.json says of a model's size: all three layouts, and the parameters that follow.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { writeBlankModel } from '../../../src/plan/blank.js'
import { countParameters, readShape, tensorsOf } from '../../../src/plan/shape.js'
import { qwen2b, qwen7b } from './shapes.js'

const fixtures = fileURLToPath(new URL('../../parity/fixtures/', import.meta.url))
const whole = { trainable: true, freezeVision: false }
const product = (size: readonly number[]): number => size.reduce((total, value) => total * value, 1)

/** The header of a safetensors file. */
function headerOf(file: string): Record<string, { shape: number[]; data_offsets: [number, number] }> {
  const bytes = readFileSync(file)
  const { __metadata__: _, ...header } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0))))
  return header
}

describe('parameters', () => {
  it('are as many as the published checkpoints have', () => {
    expect(countParameters(qwen2b, whole).total).toBe(2_208_985_600)
    expect(countParameters(qwen7b, whole).total).toBe(8_291_375_616)
  })

  it('train all, all but the vision tower, or only adapters', () => {
    const { total, trainable } = countParameters(qwen2b, whole)
    expect(trainable).toBe(total)
    // The tower: 32 blocks of 12 W^2 + 13 W, patches, and a merger of 5120^2 + 5120 x 1536 with its biases and norm.
    const block = 12 * 1280 ** 2 + 13 * 1280
    const tower = 32 * block + 1176 * 1280 + (5120 ** 2 + 5120) + (5120 * 1536 + 1536) + 2 * 1280
    expect(countParameters(qwen2b, { ...whole, freezeVision: true }).trainable).toBe(total - tower)
    const lora = { r: 64, alpha: 128, seed: 0, targetModules: ['q_proj', 'v_proj', 'down_proj'] }
    // r (in + out): q 1536 + 1536, v 1536 + 256, down 8960 + 1536.
    const adapters = 64 * 28 * (3072 + 1792 + 10_496)
    expect(countParameters(qwen2b, { ...whole, lora })).toMatchObject({ total: total + adapters, trainable: adapters })
    expect(countParameters(qwen2b, { ...whole, trainable: false }).trainable).toBe(0)
  })

  it('are the tensors of a checkpoint on disk, name by name', async () => {
    const shape = await readShape(join(fixtures, 'tiny-a'))
    const stored = headerOf(join(fixtures, 'tiny-a', 'model.safetensors'))
    const named = Object.fromEntries([...tensorsOf(shape)].map(([name, size]) => [name, product(size)]))
    expect(named).toEqual(
      Object.fromEntries(Object.entries(stored).map(([name, { shape: size }]) => [name, product(size)])),
    )
  })
})

describe('readShape', () => {
  const write = (config: object): string => {
    const dir = mkdtempSync(join(tmpdir(), 'shape-'))
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    return dir
  }
  const published = {
    hidden_size: 1536,
    num_hidden_layers: 28,
    num_attention_heads: 12,
    num_key_value_heads: 2,
    intermediate_size: 8960,
    vocab_size: 151_936,
  }
  const vision_config = {
    depth: 32,
    embed_dim: 1280,
    num_heads: 16,
    mlp_ratio: 4,
    in_channels: 3,
    patch_size: 14,
    temporal_patch_size: 2,
    spatial_merge_size: 2,
  }

  it('reads the flat layout and the nested one alike', async () => {
    expect(await readShape(write({ ...published, tie_word_embeddings: true, vision_config }))).toEqual(qwen2b)
    expect(await readShape(write({ text_config: { ...published, tie_word_embeddings: true }, vision_config }))).toEqual(
      qwen2b,
    )
  })

  it('names the file and the field that is missing', async () => {
    const { intermediate_size: _, ...rest } = published
    await expect(readShape(write({ ...rest, vision_config }))).rejects.toThrow(
      /config\.json: field 'intermediate_size'/,
    )
    await expect(readShape(write({ ...published, vision_config: {} }))).rejects.toThrow(
      /vision_config: field 'embed_dim'/,
    )
    await expect(readShape(write({ ...published, hidden_size: 0, vision_config }))).rejects.toThrow(
      /'hidden_size' must be above 0/,
    )
  })

  it.each([
    [
      { num_attention_heads: 5 },
      'hidden_size 1536 must divide by num_attention_heads 5, and that by num_key_value_heads 2',
    ],
    [
      { num_key_value_heads: 5 },
      'hidden_size 1536 must divide by num_attention_heads 12, and that by num_key_value_heads 5',
    ],
    [
      { hidden_size: 1500, rope_scaling: { mrope_section: [16, 24, 24] } },
      'mrope_section must sum to half of hidden_size / num_attention_heads = 125, got 64',
    ],
    [{ hidden_size: 1500 }, 'mrope_section must sum to half of hidden_size / num_attention_heads = 125, got 63'],
    [
      { vision_config: { ...vision_config, num_heads: 3 } },
      'vision_config: embed_dim 1280 / num_heads 3 must be a multiple of 4',
    ],
  ])('names the user’s own file for sizes that no model has: %j', async (wrong, told) => {
    const dir = write({ ...published, vision_config, ...wrong })
    await expect(readShape(dir)).rejects.toThrow(`${join(dir, 'config.json')}: ${told}`)
  })
})

describe('writeBlankModel', () => {
  it('writes a checkpoint of the same sizes whose weights take no room', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'blank-'))
    writeBlankModel(dir, { ...qwen2b, layers: 1, vision: { ...qwen2b.vision, depth: 1 } })
    expect(await readShape(dir)).toEqual({ ...qwen2b, layers: 1, vision: { ...qwen2b.vision, depth: 1 } })
    const tensors = headerOf(join(dir, 'model.safetensors'))
    expect(tensors['visual.patch_embed.proj.weight']?.shape).toEqual([1280, 3, 2, 14, 14])
    expect(tensors['model.layers.0.mlp.down_proj.weight']?.shape).toEqual([1536, 8960])
  })
})
