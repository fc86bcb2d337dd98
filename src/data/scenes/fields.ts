/** Parsed JSON against a schema; every error names the place, what was expected and what came. */

import { z } from 'zod'
import { dataError } from '../../errors.js'
import { shown } from '../../json.js'

/** Messages of the schemas say what is expected. */
export const text = z.string('a string')
export const finite = z.number('a finite number')
export const integer = z.int('an integer of at least 0').nonnegative('an integer of at least 0')

/** The value as the schema has it. Throws an InputError `<where>: <path>: expected …, got …` for the first thing wrong. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0] ?? { path: [], message: 'something else' }
  const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  throw wrong(`${where}${place.replace(/^\./, ': ')}`, message, valueAt(value, path))
}

export function wrong(where: string, expected: string, value: unknown) {
  return dataError(`${where}: expected ${expected}, got ${shown(value)}`)
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}
