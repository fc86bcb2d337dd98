/**
 * Options as data: each field knows its default and what it accepts, so that one place checks names and values.
 * Names may come in snake_case and kebab-case too, as TRL's configurations and command lines write them.
 */
import { didYouMean, InputError } from '../errors.js'
import { isObject, shown } from '../json.js'
import { cureOfForeign } from './foreign-options.js'

export interface Field<T> {
  readonly fallback: T
  /** What the field takes, in words. */
  readonly expected: string
  readonly accepts: (value: unknown) => value is T
  /** Turns TRL's other ways to write a value into the one that is accepted, and leaves the rest as it is. */
  readonly read?: (value: unknown) => unknown
}

export type Fields = Readonly<Record<string, Field<unknown>>>
/** The values of a table of fields. */
export type Values<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/** A finite number within limits. */
export function number<T extends number | undefined>(
  fallback: T,
  min: number,
  max = Number.POSITIVE_INFINITY,
): Field<T | number> {
  const limits = max === Number.POSITIVE_INFINITY ? `>= ${min}` : `from ${min} to ${max}`
  return {
    fallback,
    expected: `a number ${limits}`,
    accepts: (value): value is number =>
      typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max,
  }
}

/** A number from `min` on that stays below a limit. */
export function numberBelow(fallback: number, min: number, limit: number): Field<number> {
  return {
    fallback,
    expected: `a number >= ${min} and below ${limit}`,
    accepts: (value): value is number => typeof value === 'number' && value >= min && value < limit,
  }
}

/** A number within limits, where null (TRL's None) and Infinity mean "no limit" instead of "the default". */
export function orUnbounded({ fallback, expected, accepts }: Field<number>): Field<number> {
  return {
    fallback,
    expected: `${expected}, or null for none`,
    accepts: (value): value is number => value === Infinity || accepts(value),
    read: (value) => (value === null ? Infinity : value),
  }
}

/** An integer from `min` on. */
export function integer<T extends number | undefined>(fallback: T, min: number): Field<T | number> {
  return {
    fallback,
    expected: `an integer >= ${min}`,
    accepts: (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= min,
  }
}

/** An integer from `min` on, or a number below 1: that part of all steps, as in transformers 5. */
export function steps<T extends number | undefined>(fallback: T, min: 0 | 1): Field<T | number> {
  const accepts = (value: unknown): value is number =>
    typeof value === 'number' && ((value > 0 && value < 1) || (Number.isSafeInteger(value) && value >= min))
  return { fallback, expected: `an integer >= ${min}, or a part of all steps, below 1`, accepts }
}

export function choice<const T extends string>(fallback: NoInfer<T>, values: readonly T[]): Field<T> {
  return {
    fallback,
    expected: values.map((value) => `'${value}'`).join(', '),
    accepts: (value): value is T => values.some((candidate) => candidate === value),
  }
}

export function flag(fallback: boolean): Field<boolean> {
  return { fallback, expected: 'true or false', accepts: (value): value is boolean => typeof value === 'boolean' }
}

/** An object of some of these members, all numbers >= 0. */
export function numbers<const K extends string>(
  names: readonly K[],
): Field<{ readonly [name in K]?: number } | undefined> {
  const known = (entry: [string, unknown]): boolean =>
    names.some((name) => name === entry[0]) && typeof entry[1] === 'number' && entry[1] >= 0 && entry[1] < Infinity
  return {
    fallback: undefined,
    expected: `an object of numbers >= 0, with some of ${names.join(', ')}`,
    accepts: (value): value is { [name in K]?: number } => isObject(value) && Object.entries(value).every(known),
    read: (value) =>
      isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, one]) => [camelCase(name), one])) : value,
  }
}

/** A flag whose absence means something of its own. */
export function optionalFlag(): Field<boolean | undefined> {
  return { ...flag(false), fallback: undefined }
}

/** A finite number above 0. */
export function positive<T extends number | undefined>(fallback: T): Field<T | number> {
  const accepts = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0
  return { fallback, expected: 'a number > 0', accepts }
}

export function text(): Field<string | undefined> {
  const accepts = (value: unknown): value is string => typeof value === 'string' && value !== ''
  return { fallback: undefined, expected: 'a text', accepts }
}

/** `learning_rate`, `learning-rate` and `learningRate` are one name. */
export function camelCase(name: string): string {
  return name.replace(/[-_]+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Whether options have a value for a field, however its name is written. */
export function isGiven(given: Readonly<Record<string, unknown>>, name: string): boolean {
  return Object.entries(given).some(([key, value]) => camelCase(key) === name && value !== undefined && value !== null)
}

/**
 * Given values over defaults, every name and value checked; an InputError names the field, and the nearest name.
 * `aliases` are further names of fields.
 */
export function resolveFields<F extends Fields>(
  fields: F,
  given: Readonly<Record<string, unknown>>,
  {
    where = 'args',
    aliases = {},
  }: { readonly where?: string; readonly aliases?: Readonly<Record<string, keyof F>> } = {},
): Values<F> {
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(fields).map(([name, { fallback }]) => [name, fallback]),
  )
  for (const [key, written] of Object.entries(given)) {
    const plain = camelCase(key)
    const name = Object.hasOwn(aliases, plain) ? String(aliases[plain]) : plain
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (!field) throw unknownOption(key, name, fields, where)
    const value = field.read ? field.read(written) : written
    if (value === undefined || value === null) continue
    if (!field.accepts(value)) {
      throw new InputError(`[${where}] ${key}: expected ${field.expected}, got ${shown(written)}`, {
        code: 'ERR_VSGRPO_CONFIG',
      })
    }
    values[name] = value
  }
  return values as Values<F>
}

/** For values that are right in themselves. */
export function wrong(message: string): InputError {
  return new InputError(`[args] ${message}`, { code: 'ERR_VSGRPO_CONFIG' })
}

function unknownOption(key: string, name: string, fields: Fields, where: string): InputError {
  const known = Object.keys(fields)
  const cure = cureOfForeign(name) ?? didYouMean(name, known, { all: known.join(', ') })
  return new InputError(`[${where}] unknown option '${key}'${cure}`, { code: 'ERR_VSGRPO_CONFIG' })
}
