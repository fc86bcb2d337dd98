/** From a Hugging Face folder, or an adapter's folder, to a policy: finds and checks the files, then loads them. */
import { InputError } from '../errors.js'
import { type AdapterConfig, checkModelFolder, findModelFolder, readAdapter } from '../model-folder.js'
import { type Device, type DType, type LoadOptions, type LoraOptions, native } from '../native.js'
import { checkInteger } from '../option-checks.js'
import { Processor, type ProcessorOptions } from '../processing/index.js'
import { Policy } from './policy.js'
import { loadWeights } from './weights.js'

export interface LoraConfig {
  /** Rank of the adapters. */
  readonly r: number
  /** Their product is scaled by alpha / r. Default 2 r. */
  readonly alpha?: number
  /** Hugging Face names of the linear layers. Default: all of the language model. */
  readonly targetModules?: readonly string[]
  /** Only 0 is supported. */
  readonly dropout?: 0
  /** Seed of the adapters' initial values. Default 42. */
  readonly seed?: number
}

export interface LoadModelOptions {
  /** Default 'auto': the CPU. 'cuda' is the first GPU, and needs `vsgrpo setup --cuda`. */
  readonly device?: 'auto' | Device
  /** Default 'auto': bfloat16 on a GPU and where the CPU multiplies it in hardware (AMX, AVX512-BF16), else float32. */
  readonly dtype?: 'auto' | DType
  readonly lora?: LoraConfig
  /** Whether the vision tower stays as it is. With LoRA it always does; default false. */
  readonly freezeVision?: boolean
  /**
   * Tokens of images and videos whose features are kept where the vision tower is frozen, so that later passes and questions
   * about them do not encode them again; 0: none. Changes no result on the CPU. Default 32768.
   */
  readonly keptMediaTokens?: number
  /** false: no gradient memory; the model only answers and scores. Default true. */
  readonly trainable?: boolean
  readonly processor?: ProcessorOptions
}

/**
 * Loads a Qwen2-VL model from a Hugging Face folder, or an adapter's folder with the base that it names. Throws an
 * InputError when there is no such model, and ERR_VSGRPO_NO_CUDA, with what is missing, where `device: 'cuda'` cannot be.
 */
export async function loadModel(name: string, options: LoadModelOptions = {}): Promise<Policy> {
  const found = findModel(name, options)
  // Before the processor: its image work takes whichever addon is loaded.
  const engine = native(deviceOf(options))
  const processor = await Processor.load(found.dir, options.processor)
  const load = loadOptionsOf(found, options, engine.buildInfo().bfloat16)
  const { keptMediaTokens } = options
  if (keptMediaTokens !== undefined && !(keptMediaTokens >= 0))
    throw new InputError(`[loadModel] keptMediaTokens: expected a number >= 0, got ${keptMediaTokens}`)
  const { mergeUnit } = processor
  const kept = { ...load, mergeUnit, ...(keptMediaTokens === undefined ? {} : { keptMediaTokens }) }
  const weights = await loadWeights(engine, found.dir, kept)
  return new Policy({ weights, processor, dir: found.dir, engine, load: kept })
}

/** Where a model is, and the adapters that it has or is to get. */
export interface FoundModel {
  readonly dir: string
  readonly lora?: LoraOptions
  /** The folder of the adapters' values; absent: fresh ones. */
  readonly adapterDir?: string
}

/** Finds and checks a model's files, and its options, without reading weights. Throws as `loadModel` does. */
export function findModel(name: string, options: LoadModelOptions): FoundModel {
  const found = findModelFolder(name)
  const adapter = readAdapter(found)
  const dir = adapter ? findModelFolder(adapter.baseDir) : found
  checkModelFolder(dir)
  checkDevice(options.device)
  if (!adapter) return { dir, lora: loraOptions(options.lora) }
  checkSameLora(options.lora, adapter, found)
  const { r, alpha, targetModules } = adapter
  return { dir, lora: { r, alpha, targetModules, seed: 0 }, adapterDir: found }
}

/** An adapter is as it was made: what is asked for besides must be the same. */
function checkSameLora(wanted: LoraConfig | undefined, adapter: AdapterConfig, dir: string): void {
  if (!wanted) return
  const { r, alpha = 2 * r, targetModules = adapter.targetModules } = wanted
  const sorted = (names: readonly string[]) => [...names].sort().join(', ')
  const pairs = [
    ['r', r, adapter.r],
    ['alpha', alpha, adapter.alpha],
    ['targetModules', sorted(targetModules), sorted(adapter.targetModules)],
  ] as const
  const other = pairs.find(([, asked, there]) => asked !== there)
  if (!other) return
  throw new InputError(
    `[lora] ${other[0]}: expected ${other[2]}, which the adapter in ${dir} has, got ${other[1]}; leave lora out, or start from the adapter's base`,
  )
}

/** How the engine is to load the weights, on this processor. */
export function loadOptionsOf(
  { lora, adapterDir }: FoundModel,
  options: LoadModelOptions,
  cpuBfloat16: boolean,
): LoadOptions {
  const device = deviceOf(options)
  return {
    dtype: chooseDType(options.dtype, device, cpuBfloat16),
    ...(device === 'cuda' ? { device } : {}),
    trainable: options.trainable ?? true,
    freezeVision: lora !== undefined || (options.freezeVision ?? false),
    ...(lora ? { lora } : {}),
    ...(adapterDir === undefined ? {} : { adapterDir }),
  }
}

const languageModelLinears = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

function loraOptions(lora: LoraConfig | undefined): LoraOptions | undefined {
  if (!lora) return undefined
  checkInteger('[lora] r', lora.r, 1)
  if (lora.dropout)
    throw new InputError(`[lora] dropout: expected 0, got ${lora.dropout}; LoRA dropout is not supported`)
  const { r, alpha = 2 * r, targetModules = languageModelLinears, seed = 42 } = lora
  const foreign = targetModules.find((name) => !languageModelLinears.includes(name))
  if (foreign !== undefined) {
    throw new InputError(
      `[lora] targetModules: expected names among ${languageModelLinears.join(', ')}, got ${foreign}`,
    )
  }
  return { r, alpha, targetModules, seed }
}

/** What untyped code may hand over, such as 'gpu' or 'cuda:1'. */
function checkDevice(device: string | undefined): void {
  if (device === undefined || device === 'auto' || device === 'cpu' || device === 'cuda') return
  throw new InputError(`[loadModel] device: expected 'auto', 'cpu' or 'cuda', got '${device}'${deviceHint(device)}`)
}

function deviceHint(device: string): string {
  return /^(gpu|cuda\b.*|nvidia.*)$/i.test(device) ? "; a GPU is 'cuda', and CUDA_VISIBLE_DEVICES says which one" : ''
}

function deviceOf({ device }: LoadModelOptions): Device {
  return device === 'cuda' ? 'cuda' : 'cpu'
}

function chooseDType(dtype: LoadModelOptions['dtype'], device: Device, cpuBfloat16: boolean): DType {
  if (dtype !== undefined && dtype !== 'auto') return dtype
  return device === 'cuda' || cpuBfloat16 ? 'bfloat16' : 'float32'
}
