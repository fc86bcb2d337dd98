/** Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type QuestionKind, questionKinds } from '../data/questions/question.js'
import { InputError } from '../errors.js'
import { oneOf } from '../option-checks.js'
import type { LoadModelOptions } from '../policy.js'

/** As commander hands them over. */
export interface ModelOptions {
  readonly device: 'auto' | 'cpu' | 'cuda'
  readonly dtype: 'auto' | 'float32' | 'bfloat16'
  readonly processor: 'hf' | 'hf-slow' | 'qwen-vl-utils'
  readonly ropeCompat: 4 | 5
}

/** Adds --device, --dtype, --processor and --rope-compat to a command. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--device <name>', 'where to compute; auto: the CPU').choices(['auto', 'cpu', 'cuda']).default('auto'),
    )
    .addOption(
      new Option('--dtype <name>', 'arithmetic; auto: bfloat16 on a GPU and where the CPU is fast at it')
        .choices(['auto', 'float32', 'bfloat16'])
        .default('auto'),
    )
    .addOption(
      new Option('--processor <name>', "whose image processing: transformers' own (hf, hf-slow) or qwen-vl-utils")
        .choices(['hf', 'hf-slow', 'qwen-vl-utils'])
        .default('hf'),
    )
    .addOption(
      new Option('--rope-compat <version>', "whose positions: transformers 4's or 5's")
        .argParser(ropeCompat)
        .default(4),
    )
}

/** Throws an InputError where a command was given an option with an empty text: an unset variable of a shell, mostly. */
export function checkNotEmpty(command: Command): void {
  for (const option of command.options) {
    if (command.getOptionValue(option.attributeName()) !== '') continue
    throw new InputError(`${option.flags}: expected a value, got an empty text; give one, or leave the option out`)
  }
}

/** What `loadModel` needs for answering and scoring. */
export function loadOptions(options: ModelOptions): LoadModelOptions {
  const processor = { profile: options.processor, ropeCompat: options.ropeCompat }
  return { device: options.device, dtype: options.dtype, processor, trainable: false }
}

/**
 * Adds an option that must be given. commander's own required options are reported before unknown ones, so that
 * `--modle x` would be told as a missing --model instead of a typing mistake.
 */
export function addRequired<T>(
  command: Command,
  flags: string,
  description: string,
  parse?: (text: string) => T,
): Command {
  const option = new Option(flags, `${description} (required)`)
  if (parse) option.argParser(parse)
  return command.addOption(option).hook('preAction', () => {
    if (command.getOptionValue(option.attributeName()) !== undefined) return
    throw new InputError(`${flags} is missing: ${description}; see vsgrpo ${command.name()} --help`)
  })
}

/** What `numberIn` takes. `orZero`: 0 too, where the range begins above it. */
interface NumberRange {
  readonly min?: number
  readonly max?: number
  readonly integer?: boolean
  readonly orZero?: boolean
}

/** A parser of numbers for commander: `numberIn({ min: 1, integer: true })`. */
export function numberIn(range: NumberRange): (text: string) => number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false, orZero = false } = range
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (orZero && value === 0) return 0
    if (value >= min && value <= max && Number.isFinite(value) && (!integer || Number.isSafeInteger(value)))
      return value
    const kind = `${orZero ? '0 or ' : ''}${integer ? 'an integer' : 'a number'}`
    throw new InvalidArgumentError(`Expected ${kind}${span(min, max)}.`)
  }
}

/** Reads kinds of question, with commas between them. */
export function parseTasks(text: string): QuestionKind[] {
  return text.split(',').map((part) => oneOf('--tasks', part.trim(), questionKinds))
}

function span(min: number, max: number): string {
  if (Number.isFinite(min) && Number.isFinite(max)) return ` from ${min} to ${max}`
  if (Number.isFinite(min)) return ` of at least ${min}`
  return Number.isFinite(max) ? ` of at most ${max}` : ''
}

function ropeCompat(text: string): 4 | 5 {
  if (text === '4') return 4
  if (text === '5') return 5
  throw new InvalidArgumentError('Expected 4 or 5.')
}
