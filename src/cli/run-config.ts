/** What the training commands share of a configuration: the model, the datasets, and where the run goes. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type CheckedDataset, type OpenOptions, openDataset, parseHubPath, rowForms } from '../data/index.js'
import { InputError } from '../errors.js'
import { isStrings, shown } from '../json.js'
import type { LoadModelOptions, LoraConfig } from '../policy.js'
import { cacheDir } from '../setup/paths.js'
import { type Config, kebabCase, type Shape } from './config.js'
import { samplingNames, samplingOptions } from './sampling.js'

const dataset: Shape = { path: null, mediaRoot: null, mediaDir: null, split: null, form: null, badRows: null }

/** Names outside `args`. */
export const commonShape: Shape = {
  model: null,
  trainDataset: dataset,
  evalDataset: dataset,
  device: null,
  dtype: null,
  lora: { r: null, alpha: null, targetModules: null, dropout: null, seed: null },
  freezeVision: null,
  keptMediaTokens: null,
  processor: null,
  ropeCompat: null,
  sampling: Object.fromEntries(samplingNames.map((name) => [name, null])),
}

/** Every name of a table of options, as a shape. */
export function shapeOf(options: object): Shape {
  return Object.fromEntries(Object.keys(options).map((name) => [name, null]))
}

/** `model`: a folder, or a hub name that `loadModel` looks up. */
export function modelName(config: Config): string {
  const name = text(config, 'model')
  if (name === undefined) throw missing(config, 'model', 'the folder of a Qwen2-VL model')
  const path = config.path('model', name)
  // "Qwen/Qwen2-VL-2B-Instruct" is a hub name, unless there is such a folder.
  return existsSync(path) || !/^[\w.-]+\/[\w.-]+$/.test(name) ? path : name
}

/** Options of `loadModel` for training. */
export function modelOptions(config: Config): LoadModelOptions {
  const rope = config.get('ropeCompat')
  if (rope !== undefined && rope !== 4 && rope !== 5)
    throw wrong(config, 'ropeCompat', `expected 4 or 5, got ${shown(rope)}`)
  const lora = loraConfig(config)
  const keptMediaTokens = config.get('keptMediaTokens')
  if (keptMediaTokens !== undefined && typeof keptMediaTokens !== 'number')
    throw noNumber(config, 'keptMediaTokens', keptMediaTokens)
  return {
    device: choice(config, 'device', ['auto', 'cpu', 'cuda']),
    dtype: choice(config, 'dtype', ['auto', 'float32', 'bfloat16']),
    processor: {
      profile: choice(config, 'processor', ['hf', 'hf-slow', 'qwen-vl-utils']),
      ropeCompat: rope,
      sampling: locating(config, () => samplingOptions(config.section('sampling'))),
    },
    keptMediaTokens,
    ...(lora ? { lora } : {}),
    ...(config.get('freezeVision') === undefined ? {} : { freezeVision: flag(config, 'freezeVision') }),
  }
}

/** `trainDataset` (required) or `evalDataset`: a file, a folder or `hf://datasets/…`, or `{ path, mediaRoot, split, … }`. */
export async function readDataset(config: Config, name: 'trainDataset'): Promise<CheckedDataset>
export async function readDataset(config: Config, name: 'evalDataset'): Promise<CheckedDataset | undefined>
export async function readDataset(config: Config, name: 'trainDataset' | 'evalDataset') {
  const field = config.get(name) === undefined ? `${name}.path` : name
  const path = text(config, field)
  if (path === undefined) {
    if (name === 'trainDataset') throw missing(config, name, 'a file of examples, a folder of them, or hf://datasets/…')
    return undefined
  }
  return openDataset(parseHubPath(path) ? path : config.path(field, path), datasetOptions(config, name))
}

/** Media that a file holds as bytes go to the cache, named by their content. */
function datasetOptions(config: Config, name: string): OpenOptions {
  const root = text(config, `${name}.mediaRoot`)
  const dir = text(config, `${name}.mediaDir`)
  return {
    ...(root === undefined ? {} : { mediaRoot: config.path(`${name}.mediaRoot`, root) }),
    mediaDir: dir === undefined ? join(cacheDir(), 'media') : config.path(`${name}.mediaDir`, dir),
    split: text(config, `${name}.split`),
    form: choice(config, `${name}.form`, rowForms),
    badRows: choice(config, `${name}.badRows`, ['throw', 'skip']),
  }
}

/** `args` with `outputDir` made absolute; default `runs/<file name>` beside the configuration. */
export function trainingArgs(config: Config): Record<string, unknown> & { outputDir: string } {
  const given = text(config, 'args.outputDir') ?? `runs/${config.file.replace(/^.*[/\\]/, '').replace(/\.[^.]+$/, '')}`
  return { ...config.section('args'), outputDir: config.path('args.outputDir', given) }
}

/** Runs a check of options, and says in its errors where the option stands: `[args] beta: …` becomes `file:3: args.beta: …`. */
export function locating<T>(config: Config, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const [, group = '', name = '', rest = ''] = /^\[(\w+)\] (\w+): ([\s\S]*)$/.exec(error.message) ?? []
    const path = `${group}.${name}`
    if (config.get(path) === undefined) throw new InputError(`${config.file}: ${error.message}`, error)
    throw new InputError(`${config.where(path)}: ${config.told(path, rest)}`, error)
  }
}

function loraConfig(config: Config): LoraConfig | undefined {
  const whole = config.get('lora')
  const { r, alpha, targetModules, dropout, seed } = config.section('lora')
  if (whole === false || whole === null || Object.keys(config.section('lora')).length === 0) return undefined
  if (r === undefined) throw missing(config, 'lora.r', 'the rank of the adapters, e.g. 16')
  if (typeof r !== 'number') throw noNumber(config, 'lora.r', r)
  if (alpha !== undefined && typeof alpha !== 'number') throw noNumber(config, 'lora.alpha', alpha)
  if (seed !== undefined && typeof seed !== 'number') throw noNumber(config, 'lora.seed', seed)
  if (dropout !== undefined && dropout !== 0)
    throw wrong(config, 'lora.dropout', 'LoRA dropout is not supported; remove it')
  if (targetModules !== undefined && !isStrings(targetModules))
    throw wrong(config, 'lora.targetModules', `expected a list of names such as q_proj, got ${shown(targetModules)}`)
  return { r, alpha, targetModules, seed }
}

function text(config: Config, name: string): string | undefined {
  const value = config.get(name)
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string' && value !== '') return value
  throw wrong(config, name, `expected a text, got ${shown(value)}`)
}

function flag(config: Config, name: string): boolean {
  const value = config.get(name)
  if (typeof value === 'boolean') return value
  throw wrong(config, name, `expected true or false, got ${shown(value)}`)
}

function choice<T extends string>(config: Config, name: string, values: readonly T[]): T | undefined {
  const value = config.get(name)
  if (value === undefined) return undefined
  const found = values.find((candidate) => candidate === value)
  if (found === undefined) throw wrong(config, name, `expected ${values.join(', ')}, got ${shown(value)}`)
  return found
}

function noNumber(config: Config, name: string, value: unknown): InputError {
  return wrong(config, name, `expected a number, got ${shown(value)}`)
}

function wrong(config: Config, name: string, message: string): InputError {
  return new InputError(`${config.where(name)}: ${config.told(name, message)}`, { code: 'ERR_VSGRPO_CONFIG' })
}

function missing(config: Config, name: string, what: string): InputError {
  return new InputError(
    `${config.file}: ${name} is missing: expected ${what}; add it to the file or give --${kebabCase(name)}`,
    {
      code: 'ERR_VSGRPO_CONFIG',
    },
  )
}
