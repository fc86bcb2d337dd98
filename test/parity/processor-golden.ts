/** Reads test/parity/fixtures/processor, made by make_processor_golden.py, and lays out a checkpoint's processor files. */
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SamplingOptions } from '../../src/processing/frame-sampling.js'
import type { Frames } from '../../src/processing/frames.js'
import type { Message } from '../../src/types.js'

export const FIXTURES = join(import.meta.dirname, 'fixtures', 'processor')

export type ProfileName = 'hf' | 'hf-slow' | 'qwen-vl-utils'
type MediaShape = ['image' | 'video', number, number, number]

export interface ProfileGolden {
  readonly length: number
  readonly prompt?: string
  readonly next?: number
  readonly next5?: number
  readonly imageGrids?: number[][]
  readonly videoGrids?: number[][]
  readonly imagePatches?: string
  readonly videoPatches?: string
}

export type PromptGolden = { readonly messages: Message[]; readonly media: MediaShape[] } & {
  readonly [profile in ProfileName]?: ProfileGolden
}

interface Golden {
  readonly prompts: Record<string, PromptGolden>
  readonly images: Record<string, Record<'hf' | 'qwen-vl-utils', [number, number, string]>>
  readonly sizes: number[][]
  readonly frames: {
    total: number
    fps: number
    options: { fps?: number; frames?: number; min_frames?: number; max_frames?: number }
    utils: number[]
    transformers: number[]
  }[]
}

export const golden: Golden = JSON.parse(readFileSync(join(FIXTURES, 'golden.json'), 'utf8'))

interface TensorEntry {
  readonly dtype: string
  readonly data_offsets: [number, number]
}

const file = readFileSync(join(FIXTURES, 'golden.safetensors'))
const headerEnd = 8 + Number(file.readBigUInt64LE(0))
const header: Record<string, TensorEntry> = JSON.parse(file.subarray(8, headerEnd).toString())

/** An int32 tensor of the fixture, flat. */
export function int32Tensor(name: string): Int32Array {
  const entry = header[name]
  if (entry?.dtype !== 'I32') throw new Error(`no int32 tensor ${name}`)
  const [start, end] = entry.data_offsets
  return new Int32Array(new Uint8Array(file.subarray(headerEnd + start, headerEnd + end)).buffer)
}

/** The generator's formula for sample frames. */
export function samplePixels(frames: number, height: number, width: number): Frames {
  const rgb = new Uint8Array(frames * height * width * 3)
  for (let i = 0; i < rgb.length; i++) {
    const [k, c, line] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width))]
    const [r, t] = [line % height, Math.floor(line / height)]
    rgb[i] = r * 7 + c * 13 + k * 61 + t * 29 + r * c
  }
  return { rgb, frames, height, width }
}

export function samplingOptions(options: Golden['frames'][number]['options']): SamplingOptions {
  const { fps, frames, min_frames: minFrames, max_frames: maxFrames } = options
  return { fps, frames, minFrames, maxFrames }
}

/** Where the development dependency keeps a real Qwen2.5 tokenizer. */
export function tokenizerDir(): string {
  return join(import.meta.dirname, '..', '..', 'node_modules', '@lenml', 'tokenizer-qwen2_5', 'models')
}

export const PREPROCESSOR = {
  min_pixels: 3136,
  max_pixels: 12845056,
  patch_size: 14,
  temporal_patch_size: 2,
  merge_size: 2,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
}

export const CONFIG = {
  model_type: 'qwen2_vl',
  image_token_id: 151655,
  video_token_id: 151656,
  max_position_embeddings: 1024,
  eos_token_id: 151645,
  vision_config: { spatial_merge_size: 2 },
}

/** A new folder with everything that `Processor.load` reads; `changes` overrides fields of config.json. */
export function checkpointDir(changes: object = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-processor-'))
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(tokenizerDir(), name), join(dir, name))
  copyFileSync(join(FIXTURES, 'chat_template.jinja'), join(dir, 'chat_template.jinja'))
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...CONFIG, ...changes }))
  writeFileSync(join(dir, 'preprocessor_config.json'), JSON.stringify(PREPROCESSOR))
  return dir
}
