/** What a parsed JSON value is, and how an error shows it. Level 0: imports nothing. */

export type JsonObject = { readonly [key: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** A value as an error repeats it: its JSON, cut at 60 characters. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  return shortened(stringify(value))
}

export function shortened(text: string, length = 60): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

/** JSON.parse takes any depth, JSON.stringify does not. */
function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value
  } catch {
    return 'something nested too deeply'
  }
}
