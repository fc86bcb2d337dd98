/** The files beside saved weights have the published layout, whichever version wrote those that were loaded. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { publishedConfig, publishedProcessors, publishedTokenizer } from '../../src/published-layout.js'

const sections = [4, 6, 6]
const text = { hidden_size: 128, num_hidden_layers: 1, rms_norm_eps: 1e-6, vocab_size: 412, eos_token_id: 400 }
const vision = { depth: 3, embed_dim: 96, in_channels: 3, mlp_ratio: 4, num_heads: 4 }
const published = {
  architectures: ['Qwen2VLForConditionalGeneration'],
  model_type: 'qwen2_vl',
  torch_dtype: 'bfloat16',
  ...text,
  image_token_id: 410,
  rope_theta: 1e6,
  rope_scaling: { type: 'mrope', mrope_section: sections },
  sliding_window: 32768,
  tie_word_embeddings: true,
  vision_config: vision,
}

/** As transformers 4.57 writes it: text fields at the root and again in text_config, the tie only there. */
const { tie_word_embeddings: _tie, torch_dtype: _dtype, ...root } = published
const scaling457 = { mrope_section: sections, rope_type: 'default', type: 'default' }
const by457 = {
  ...root,
  dtype: 'bfloat16',
  rope_scaling: scaling457,
  text_config: {
    ...{ ...text, architectures: published.architectures, dtype: 'bfloat16', layer_types: ['full_attention'] },
    ...{ model_type: 'qwen2_vl_text', rope_scaling: scaling457, rope_theta: 1e6, sliding_window: null },
    tie_word_embeddings: true,
  },
  transformers_version: '4.57.6',
  vision_config: { ...vision, dtype: 'bfloat16', model_type: 'qwen2_vl' },
}

/** As transformers 5 writes it: text fields in text_config alone, all of rope in rope_parameters. */
const by5 = {
  ...{ architectures: published.architectures, dtype: 'bfloat16', image_token_id: 410, model_type: 'qwen2_vl' },
  text_config: {
    ...{ ...text, dtype: 'bfloat16', layer_types: ['full_attention'], model_type: 'qwen2_vl_text', pad_token_id: null },
    rope_parameters: { mrope_section: sections, rope_theta: 1e6, rope_type: 'default', type: 'mrope' },
    sliding_window: null,
  },
  tie_word_embeddings: true,
  transformers_version: '5.18.0',
  vision_config: {
    ...{ ...vision, dtype: 'bfloat16', model_type: 'qwen2_vl_vision' },
    rope_parameters: { rope_theta: 10000, rope_type: 'axial' },
  },
}

describe('publishedConfig', () => {
  it('leaves the published layout as it is, to the order of its fields', () => {
    expect(JSON.stringify(publishedConfig(published, 'bfloat16'))).toBe(JSON.stringify(published))
    const demo: Record<string, unknown> = JSON.parse(readFileSync('examples/demo/base/config.json', 'utf8'))
    expect(JSON.stringify(publishedConfig(demo, 'bfloat16'))).toBe(JSON.stringify(demo))
  })

  it("turns transformers 4.57's layout into the published one", () => {
    expect(publishedConfig(by457, 'bfloat16')).toEqual(published)
  })

  it("turns transformers 5's layout into the published one", () => {
    const { sliding_window: _, ...rest } = published
    expect(publishedConfig(by5, 'bfloat16')).toEqual(rest)
  })

  it('keeps a head that is not tied', () => {
    expect(publishedConfig({ ...by5, tie_word_embeddings: false }, 'float32').tie_word_embeddings).toBe(false)
    const untied = {
      ...by457,
      tie_word_embeddings: false,
      text_config: { ...by457.text_config, tie_word_embeddings: false },
    }
    expect(publishedConfig(untied, 'float32').tie_word_embeddings).toBe(false)
  })

  it('says the type that the weights are stored in, and no other', () => {
    for (const config of [published, by457, by5]) {
      const text = JSON.stringify(publishedConfig(config, 'float32'))
      expect(text).toContain('"torch_dtype":"float32"')
      expect(text).not.toMatch(/bfloat16|"dtype"/)
    }
  })
})

describe('publishedTokenizer', () => {
  it('names special tokens as transformers 4 does, and leaves other files alone', () => {
    const rest = { eos_token: '<|im_end|>' }
    expect(publishedTokenizer({ ...rest, extra_special_tokens: ['<|im_start|>'] })).toEqual({
      ...rest,
      additional_special_tokens: ['<|im_start|>'],
    })
    for (const config of [rest, { ...rest, extra_special_tokens: {} }]) expect(publishedTokenizer(config)).toBe(config)
  })
})

describe('publishedProcessors', () => {
  const part = { patch_size: 14, size: { shortest_edge: 3136, longest_edge: 25088 } }

  it("takes transformers 5's one file apart, and states the pixel limits as they were published", () => {
    const limits = { min_pixels: 3136, max_pixels: 25088, processor_class: 'Qwen2VLProcessor' }
    const nested = { image_processor: part, video_processor: part, processor_class: 'Qwen2VLProcessor' }
    expect(publishedProcessors(nested)).toEqual({
      image: { ...part, ...limits, image_processor_type: 'Qwen2VLImageProcessor' },
      video: { ...part, ...limits, video_processor_type: 'Qwen2VLVideoProcessor' },
    })
  })

  it("makes nothing of transformers 4's file, which names the class alone", () => {
    expect(publishedProcessors({ processor_class: 'Qwen2VLProcessor' })).toEqual({})
  })
})
