/** Reads the JSON files of a checkpoint folder; every complaint names the file and the field. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, messageOf } from '../errors.js'
import { isObject, type JsonObject } from '../json.js'

/** The object in `dir/name`, or undefined when there is no such file. Throws InputError when it is not a JSON object. */
export async function readOptionalJson(dir: string, name: string): Promise<JsonObject | undefined> {
  const file = join(dir, name)
  if (!existsSync(file)) return undefined
  const value = parse(await readFile(file, 'utf8'), file)
  if (!isObject(value)) throw checkpointError(`${file}: expected a JSON object`)
  return value
}

/** As `readOptionalJson`, but the file must be there. */
export async function readJson(dir: string, name: string): Promise<JsonObject> {
  const value = await readOptionalJson(dir, name)
  if (value) return value
  throw checkpointError(
    `${join(dir, name)}: file not found`,
    'Give a folder in the layout of a Hugging Face Qwen2-VL checkpoint.',
  )
}

/** A field that is an object, where there is one. */
export function section(config: JsonObject, name: string): JsonObject | undefined {
  const value = config[name]
  return isObject(value) ? value : undefined
}

/** A field that must be a positive number. */
export function positiveNumber(object: JsonObject, field: string, file: string): number {
  const value = object[field]
  if (typeof value === 'number' && value > 0) return value
  throw checkpointError(`${file}: field '${field}' must be a positive number, got ${JSON.stringify(value)}`)
}

/** A field that must be an integer, zero or more. */
export function integer(object: JsonObject, field: string, file: string): number {
  const value = object[field]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw checkpointError(`${file}: field '${field}' must be an integer of at least 0, got ${JSON.stringify(value)}`)
}

export function checkpointError(message: string, hint?: string, cause?: unknown): InputError {
  return new InputError(message, { code: 'ERR_VSGRPO_CHECKPOINT', hint, cause })
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw checkpointError(`${file}: not valid JSON (${messageOf(error)})`, 'Fetch or save the file again.', error)
  }
}
