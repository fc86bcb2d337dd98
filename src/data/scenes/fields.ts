/** Fields of parsed JSON, checked; every error names the place, what was expected and what came. */
import { dataError } from './json-text.js'
import type { Vec3 } from './record.js'

export type JsonObject = { readonly [key: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function requireObject(value: unknown, where: string, expected = 'an object'): JsonObject {
  if (isObject(value)) return value
  throw wrong(where, expected, value)
}

export function requireList(value: unknown, where: string, expected = 'a list'): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw wrong(where, expected, value)
}

export function requireText(value: unknown, where: string): string {
  if (typeof value === 'string') return value
  throw wrong(where, 'a string', value)
}

/** A finite number of at least `least`. */
export function requireNumber(value: unknown, where: string, least = Number.NEGATIVE_INFINITY): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value
  const range = Number.isFinite(least) ? ` of at least ${least}` : ''
  throw wrong(where, `a finite number${range}`, value)
}

export function requireWhole(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw wrong(where, 'a whole number of at least 0', value)
}

/** `count` finite numbers. */
export function requireNumbers(value: unknown, count: number, where: string): readonly number[] {
  const list = requireList(value, where, `a list of ${count} numbers`)
  if (list.length !== count) throw wrong(where, `a list of ${count} numbers`, value)
  return list.map((item, i) => requireNumber(item, `${where}[${i}]`))
}

export function requireVec3(value: unknown, where: string): Vec3 {
  const [x = 0, y = 0, z = 0] = requireNumbers(value, 3, where)
  return [x, y, z]
}

export function wrong(where: string, expected: string, value: unknown) {
  const shown = value === undefined ? 'nothing' : shownJson(value)
  return dataError(`${where}: expected ${expected}, got ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`)
}

/** JSON.parse takes any depth, JSON.stringify does not. */
function shownJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'something nested too deeply'
  }
}
