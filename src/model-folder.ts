/**
 * A Hugging Face model folder on disk: finding it, checking that it is one that the engine runs, and copying the files
 * that stand beside the weights. Knows nothing of the engine.
 */
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { cachedSnapshot } from './data/hub-cache.js'
import { InputError, systemCause } from './errors.js'
import { isObject, isStrings, type JsonObject, shown } from './json.js'
import { publishedConfig, publishedProcessors, publishedTokenizer } from './published-layout.js'

/** Files that belong to tokenizer and processor; copied where they exist. */
const processorFiles = [
  'preprocessor_config.json',
  'processor_config.json',
  'video_preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.json',
  'chat_template.jinja',
]
const configFiles = ['config.json', 'generation_config.json']

/** What a LoRA adapter's folder says about itself (PEFT's `adapter_config.json`). */
export interface AdapterConfig {
  readonly baseDir: string
  readonly r: number
  readonly alpha: number
  readonly targetModules: readonly string[]
}

/** The folder of a model given by path, or by a hub name that was downloaded before; an InputError says how to get it. */
export function findModelFolder(name: string): string {
  if (existsSync(name)) {
    if (statSync(name).isDirectory()) return resolve(name)
    throw new InputError(
      `[loadModel] expected a folder, got the file ${name}; give the folder that config.json lies in`,
      {
        code: 'ERR_VSGRPO_CHECKPOINT',
      },
    )
  }
  const cached = findInHubCache(name)
  if (cached) return cached
  const cure = isHubName(name)
    ? `download it first: hf download ${name} --local-dir ${name}`
    : 'give the path of a Hugging Face model folder'
  throw new InputError(`[loadModel] no folder ${name} here; ${cure}`, { code: 'ERR_VSGRPO_CHECKPOINT' })
}

/** Checks that a folder holds a Qwen2-VL model with weights. */
export function checkModelFolder(dir: string): void {
  const config = readJson(join(dir, 'config.json'), `${dir} is not a Hugging Face model folder`)
  const type = config.model_type
  if (type !== 'qwen2_vl') {
    throw new InputError(
      `[loadModel] ${join(dir, 'config.json')}: model_type: expected "qwen2_vl", got ${JSON.stringify(type) ?? 'nothing'}; only Qwen2-VL is supported`,
      { code: 'ERR_VSGRPO_CHECKPOINT' },
    )
  }
  const weights = ['model.safetensors', 'model.safetensors.index.json']
  if (!weights.some((name) => existsSync(join(dir, name)))) {
    throw new InputError(
      `[loadModel] ${dir} has no weights: expected ${weights.join(' or ')}; download the model again or convert it to safetensors`,
      { code: 'ERR_VSGRPO_CHECKPOINT' },
    )
  }
}

/** What makes a folder an adapter's. */
export const adapterFiles = ['adapter_config.json', 'adapter_model.safetensors']

/** The adapter that a folder holds, or undefined when it holds a whole model. */
export function readAdapter(dir: string): AdapterConfig | undefined {
  const file = join(dir, 'adapter_config.json')
  if (!existsSync(file)) return undefined
  const config = readJson(file, 'not an adapter')
  const { base_model_name_or_path: base, r, lora_alpha: alpha, target_modules: targetModules } = config
  if (typeof base !== 'string' || typeof r !== 'number' || typeof alpha !== 'number' || !isStrings(targetModules)) {
    throw new InputError(
      `[loadModel] ${file}: expected base_model_name_or_path, r, lora_alpha and a list target_modules, as PEFT writes them`,
      { code: 'ERR_VSGRPO_CHECKPOINT' },
    )
  }
  checkPlainLora(config, file)
  const beside = join(dir, base)
  return { baseDir: !isAbsolute(base) && existsSync(beside) ? beside : base, r, alpha, targetModules }
}

/** PEFT's variants of LoRA, which compute something else from the same matrices. */
const variants = [
  ...['use_rslora', 'use_dora', 'use_qalora', 'lora_bias', 'fan_in_fan_out', 'alpha_pattern', 'rank_pattern'],
  ...['modules_to_save', 'trainable_token_indices', 'target_parameters', 'layers_to_transform', 'layer_replication'],
]

function checkPlainLora(config: JsonObject, file: string): void {
  const empty = (value: unknown): boolean => !value || (typeof value === 'object' && Object.keys(value).length === 0)
  const { bias = 'none', peft_type: type = 'LORA' } = config
  const found = variants.find((name) => !empty(config[name]))
  const [name, value] =
    found !== undefined ? [found, config[found]] : type !== 'LORA' ? ['peft_type', type] : ['bias', bias]
  if (name === 'bias' && value === 'none') return
  throw new InputError(
    `[loadModel] ${file}: ${name}: ${shown(value)} is not supported, only plain LoRA is; merge the adapter into its base (PEFT's merge_and_unload) and load that`,
    { code: 'ERR_VSGRPO_CHECKPOINT' },
  )
}

/** Writes PEFT's `adapter_config.json`. */
export function writeAdapter(dir: string, { baseDir, r, alpha, targetModules }: AdapterConfig): void {
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseDir,
    r,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: targetModules,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    use_rslora: false,
  }
  writeJson(join(dir, 'adapter_config.json'), config)
}

/** Copies the tokenizer's and processor's files, and the model's configuration when `what` is a whole model. */
export function copyModelFiles(from: string, to: string, what: 'model' | 'adapter'): void {
  const names = what === 'model' ? [...configFiles, ...processorFiles] : processorFiles
  for (const name of names) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  }
  publishProcessorFiles(to)
}

/** Gives a saved model's config.json the published layout and the type that the weights beside it are stored in. */
export function publishConfig(dir: string, dtype: string): void {
  rewrite(join(dir, 'config.json'), (config) => publishedConfig(config, dtype))
}

/** Tokenizer and processor files as older versions read them too; those of transformers 5 stay beside them. */
function publishProcessorFiles(dir: string): void {
  const tokenizer = join(dir, 'tokenizer_config.json')
  if (existsSync(tokenizer)) rewrite(tokenizer, publishedTokenizer)
  const nested = join(dir, 'processor_config.json')
  if (!existsSync(nested)) return
  const { image, video } = publishedProcessors(readJson(nested, 'not a processor'))
  writeUnlessThere(join(dir, 'preprocessor_config.json'), image)
  writeUnlessThere(join(dir, 'video_preprocessor_config.json'), video)
}

function writeUnlessThere(file: string, value: object | undefined): void {
  if (value && !existsSync(file)) writeJson(file, value)
}

/** A file that already says what it should keeps its bytes. */
function rewrite(file: string, change: (value: Record<string, unknown>) => object): void {
  const value = readJson(file, 'not a model')
  const changed = change(value)
  if (JSON.stringify(changed) !== JSON.stringify(value)) writeJson(file, changed)
}

function writeJson(file: string, value: object): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}

/** Whether a name looks like one on the Hugging Face hub: `organisation/model`. */
function isHubName(name: string): boolean {
  return /^[\w][\w.-]*\/[\w][\w.-]*$/.test(name)
}

/** The snapshot that `hf download` without a local folder left in its cache, if any. */
function findInHubCache(name: string): string | undefined {
  return isHubName(name) ? cachedSnapshot({ kind: 'model', repo: name, revision: 'main' }) : undefined
}

function readJson(file: string, meaning: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (isObject(value)) return { ...value }
    throw new Error('expected a JSON object')
  } catch (error) {
    throw new InputError(`[loadModel] ${meaning}: cannot read ${file}: ${systemCause(error)}`, {
      code: 'ERR_VSGRPO_CHECKPOINT',
      hint: 'Give the folder that config.json, the weights and the tokenizer lie in, or fetch the model again.',
      cause: error,
    })
  }
}
