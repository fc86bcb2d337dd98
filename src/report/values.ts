/** What a value that was read from JSON is, or what stands for it where it is something else. */
import { isObject } from '../json.js'
import type { Row } from '../log/lines.js'

/** A JSON object, or undefined. */
export function record(value: unknown): Row | undefined {
  return isObject(value) ? value : undefined
}

export function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

/** NaN for what is no number. */
export function number(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN
}

/** Empty for nothing. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value)
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
