/** What a parsed JSON value is, and how an error shows it. Level 0: imports nothing. */

export type JsonObject = { readonly [key: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** A value as an error repeats it: its JSON, cut at `length` characters; JSON has no words for NaN, Infinity and bigints. */
export function shown(value: unknown, length?: number): string {
  if (value === undefined) return 'nothing'
  return isBeyondJson(value) ? String(value) : shortened(stringify(value), length)
}

function isBeyondJson(value: unknown): boolean {
  return typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
}

export function shortened(text: string, length = 60): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

/** JSON.parse takes any depth, JSON.stringify does not. */
function stringify(value: unknown): string {
  try {
    const written = JSON.stringify(value, (_, inner: unknown) => (isBeyondJson(inner) ? String(inner) : inner))
    return written ?? typeof value
  } catch {
    return 'something nested too deeply'
  }
}
