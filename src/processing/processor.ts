/**
 * Messages to what the model reads: chat template, tokens with placeholders expanded, M-RoPE positions, patches.
 * Everything comes from the checkpoint's folder; nothing is fetched.
 */
import { InputError } from '../errors.js'
import type { Media, Message, Prompt } from '../types.js'
import { ChatTemplate } from './chat-template.js'
import { type ConversationOptions, mediaSources } from './conversation.js'
import type { SamplingOptions } from './frame-sampling.js'
import { checkpointError } from './json-file.js'
import { MediaReader } from './media.js'
import { type ModelConfig, readModelConfig } from './model-config.js'
import { type PositionOptions, planPositions } from './positions.js'
import { readProcessorConfig } from './processor-config.js'
import type { Profile } from './resize-plan.js'
import { type DecodeOptions, Tokenizer } from './tokenizer.js'

export interface ProcessorOptions {
  /** Whose pixels to equal: transformers' processor (default 'hf'), its slow one, or qwen-vl-utils'. */
  readonly profile?: Profile
  /** Positions after a long video: transformers 4 and the paper (default), or transformers 5. */
  readonly ropeCompat?: 4 | 5
  /** Frames taken from video files (default 2 per second, 4 to 768). Lists of frames are never resampled. */
  readonly sampling?: SamplingOptions
  /** Bytes of patches kept for media that come again (default 512 MiB). */
  readonly cacheBytes?: number
}

export interface PromptContext extends ConversationOptions {
  /** Stands before every complaint: a file and line, an example's id. */
  readonly where?: string
  readonly signal?: AbortSignal
}

interface Parts {
  readonly tokenizer: Tokenizer
  readonly template: ChatTemplate
  readonly media: MediaReader
  readonly config: ModelConfig
  readonly ropeCompat: 4 | 5
}

export class Processor {
  /** Tokens that end an answer: generation_config.json's, else config.json's, else <|im_end|> and <|endoftext|>. */
  readonly eosIds: Int32Array
  /** Tokens that a prompt may have. */
  readonly maxPositions: number
  /** Patches that become one token. */
  readonly mergeUnit: number
  readonly #parts: Parts
  readonly #positionOptions: PositionOptions

  private constructor(parts: Parts) {
    const { config, tokenizer, ropeCompat } = parts
    const known = ['<|im_end|>', '<|endoftext|>'].flatMap((token) => tokenizer.id(token) ?? [])
    this.eosIds = Int32Array.from(config.eosIds.length > 0 ? config.eosIds : known)
    this.maxPositions = config.maxPositions
    this.mergeUnit = config.spatialMergeSize ** 2
    this.#parts = parts
    this.#positionOptions = { ...config, compat: ropeCompat }
  }

  /** Reads a checkpoint's config, tokenizer, template and processor files. Throws InputError naming file and field. */
  static async load(dir: string, options: ProcessorOptions = {}): Promise<Processor> {
    const [config, settings, tokenizer, template] = await Promise.all([
      readModelConfig(dir),
      readProcessorConfig(dir),
      Tokenizer.load(dir),
      ChatTemplate.load(dir),
    ])
    for (const { mergeSize } of [settings.image, settings.video]) {
      if (mergeSize !== config.spatialMergeSize) {
        const sizes = `merge_size is ${mergeSize}, config.json's spatial_merge_size is ${config.spatialMergeSize}`
        throw checkpointError(`${dir}: ${sizes}`, 'The files belong to different models.')
      }
    }
    const { profile = 'hf', ropeCompat = 4, sampling = {}, cacheBytes = 512 * 2 ** 20 } = options
    const media = new MediaReader({ config: settings, profile, sampling, cacheBytes })
    return new Processor({ tokenizer, template, media, config, ropeCompat })
  }

  /** Special tokens in the text are recognised; none are added. */
  encode(text: string): Int32Array {
    return this.#parts.tokenizer.encode(text)
  }

  decode(ids: Int32Array | readonly number[], options?: DecodeOptions): string {
    return this.#parts.tokenizer.decode(ids, options)
  }

  /** The prompt that ends with the opening of the assistant's turn. Throws InputError for what the user can put right. */
  async prompt(messages: readonly Message[], context: PromptContext = {}): Promise<Prompt> {
    try {
      return await this.#prompt(messages, context)
    } catch (error) {
      if (!(error instanceof InputError) || context.where === undefined) throw error
      const { code, hint } = error
      throw new InputError(`${context.where}: ${error.message}`, { code, hint, cause: error })
    }
  }

  async #prompt(messages: readonly Message[], context: PromptContext): Promise<Prompt> {
    const { template, tokenizer, media: reader } = this.#parts
    context.signal?.throwIfAborted()
    const sources = mediaSources(messages, context)
    const ids = tokenizer.encode(template.render(messages))
    const found = await Promise.all(sources.map((source) => reader.read(source, context.signal)))
    const ofKind = (kind: string) => found.filter((_, i) => sources[i]?.kind === kind)
    const expanded = this.#expand(ids, { image: ofKind('image'), video: ofKind('video') })
    this.#checkLength(expanded.ids.length)
    const grids = expanded.media.map(({ grid }) => grid)
    return { ...expanded, ...planPositions(expanded.ids, grids, this.#positionOptions) }
  }

  /** Each placeholder token becomes as many as its item has merged patches. */
  #expand(ids: Int32Array, found: Record<'image' | 'video', readonly Media[]>) {
    const { imageTokenId, videoTokenId } = this.#parts.config
    const used = { image: 0, video: 0 }
    const media: Media[] = []
    const runs: { readonly id: number; readonly count: number }[] = []
    for (const id of ids) {
      const kind = id === imageTokenId ? 'image' : id === videoTokenId ? 'video' : undefined
      const item = kind && found[kind][used[kind]]
      if (kind) used[kind] += 1
      if (item) media.push(item)
      runs.push({ id, count: item ? tokensOf(item, this.mergeUnit) : 1 })
    }
    checkCounts('image', used.image, found.image.length)
    checkCounts('video', used.video, found.video.length)
    const expanded = new Int32Array(runs.reduce((sum, { count }) => sum + count, 0))
    let length = 0
    let sharedLength = 0
    for (const { id, count } of runs) {
      expanded.fill(id, length, length + count)
      length += count
      if (id === imageTokenId || id === videoTokenId) sharedLength = length
    }
    return { ids: expanded, media, sharedLength }
  }

  #checkLength(length: number): void {
    if (length <= this.maxPositions) return
    throw new InputError(`the prompt has ${length} tokens, the model allows ${this.maxPositions}`, {
      hint: 'Use fewer or smaller frames, or a shorter text.',
    })
  }
}

function tokensOf({ grid: [t, h, w] }: Media, mergeUnit: number): number {
  return (t * h * w) / mergeUnit
}

function checkCounts(kind: string, placeholders: number, items: number): void {
  if (placeholders === items) return
  const hint =
    placeholders > items
      ? `Add the missing ${kind} part, or remove <|${kind}_pad|> from the text.`
      : `The chat template must write one <|${kind}_pad|> for each ${kind} part.`
  throw new InputError(`${placeholders} ${kind} placeholders for ${items} ${kind}s`, { hint })
}
