/**
 * The files beside the weights as Qwen2-VL was published: the layout that every transformers since 4.45, PEFT and vLLM read.
 * (transformers 4 can load none of the files that transformers 5 writes.) Pure functions of parsed JSON.
 */
import { type JsonObject as Fields, isObject } from './json.js'

/** config.json: the language model's fields at the root, `rope_theta` beside `rope_scaling`; `dtype` is the weights'. */
export function publishedConfig(config: Fields, dtype: string): Record<string, unknown> {
  const { text_config: nested, vision_config: vision, ...root } = config
  // Where 4.57 writes a field twice, the root has it as it was published.
  const flat: Fields = { ...fields(nested), ...root }
  const { rope_parameters: parameters, rope_scaling: scaling, rope_theta: theta, dtype: _, ...rest } = flat
  const rope = { ...fields(scaling), ...fields(parameters) }
  const dropped = nested === undefined ? [] : ['layer_types', 'transformers_version']
  const kept = Object.entries(rest).filter(([key, value]) => value !== null && !dropped.includes(key))
  return inOrderOf(config, {
    ...Object.fromEntries(kept),
    torch_dtype: dtype,
    rope_theta: rope.rope_theta ?? theta,
    rope_scaling: rope.mrope_section && { type: 'mrope', mrope_section: rope.mrope_section },
    vision_config: vision && publishedVision(fields(vision)),
  })
}

/** Its rope and model_type are transformers 5's, its dtype would contradict the weights'. */
function publishedVision(vision: Fields): Fields {
  const { rope_parameters: _rope, dtype: _dtype, torch_dtype: _torch, model_type: _type, ...rest } = vision
  return rest
}

/** tokenizer_config.json: transformers 4 expects a list of special tokens under its old name. */
export function publishedTokenizer(config: Fields): Fields {
  const { extra_special_tokens: tokens, ...rest } = config
  return Array.isArray(tokens) ? { ...rest, additional_special_tokens: tokens } : config
}

/** preprocessor_config.json and video_preprocessor_config.json out of transformers 5's processor_config.json. */
export function publishedProcessors(config: Fields): { image?: Fields; video?: Fields } {
  const { processor_class } = config
  const named = (part: unknown, field: string, type: string) =>
    isObject(part) ? { ...withLimits(part), [field]: type, processor_class } : undefined
  return {
    image: named(config.image_processor, 'image_processor_type', 'Qwen2VLImageProcessor'),
    video: named(config.video_processor, 'video_processor_type', 'Qwen2VLVideoProcessor'),
  }
}

/** Older versions and vLLM know the limits only as min_pixels and max_pixels. */
function withLimits(part: Fields): Fields {
  const size = fields(part.size)
  return { min_pixels: size.shortest_edge, max_pixels: size.longest_edge, ...part }
}

/** The fields in the order in which they stand in `model`, new ones at the end, undefined ones left out. */
function inOrderOf(model: Fields, values: Fields): Record<string, unknown> {
  const keys = new Set([...Object.keys(model), ...Object.keys(values)])
  return Object.fromEntries([...keys].flatMap((key) => (values[key] === undefined ? [] : [[key, values[key]]])))
}

function fields(value: unknown): Fields {
  return isObject(value) ? value : {}
}
