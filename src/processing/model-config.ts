/**
 * The few fields of config.json and generation_config.json that turning messages into a prompt needs, in all three
 * layouts: published flat, transformers 4.52-4.57 (both), transformers 5 (only `text_config`). Sampling settings of
 * generation_config.json are never read: the published ones are nearly greedy.
 */
import { join } from 'node:path'
import { integer, readJson, readOptionalJson, section } from './json-file.js'

export interface ModelConfig {
  readonly imageTokenId: number
  readonly videoTokenId: number
  readonly spatialMergeSize: number
  /** Tokens that a sequence may have. */
  readonly maxPositions: number
  /** Tokens that end an answer; empty when no file names them. */
  readonly eosIds: readonly number[]
}

/** Throws InputError naming the field when one is missing: none has a safe default. */
export async function readModelConfig(dir: string): Promise<ModelConfig> {
  const file = join(dir, 'config.json')
  const config = await readJson(dir, 'config.json')
  const generation = (await readOptionalJson(dir, 'generation_config.json')) ?? {}
  const text = section(config, 'text_config') ?? config
  const vision = section(config, 'vision_config') ?? {}
  const sources = [generation, config, text]
  return {
    imageTokenId: integer(config, 'image_token_id', file),
    videoTokenId: integer(config, 'video_token_id', file),
    spatialMergeSize: integer(vision, 'spatial_merge_size', `${file}: vision_config`),
    maxPositions: integer(text, 'max_position_embeddings', file),
    eosIds: sources.map((source) => tokenIds(source.eos_token_id)).find((ids) => ids.length > 0) ?? [],
  }
}

function tokenIds(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0)
}
