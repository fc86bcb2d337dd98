/**
 * One JSON value to one Example: checks every field, fills in media and makes their paths absolute. Reads `messages`, or
 * TRL's `prompt`; a final assistant message becomes the `completion`; placeholders without a path ({"type": "image"})
 * take theirs from the `images` / `videos` columns in order. Other columns pass through.
 */
import { resolve } from 'node:path'
import { dataError, type InputError } from '../errors.js'
import { isObject, isStrings, shown } from '../json.js'
import type { ContentPart, Example, Message } from '../types.js'

export interface RowContext {
  /** Named in errors: `questions.jsonl:12`. */
  readonly where: string
  /** Folder that relative media paths start from. */
  readonly mediaRoot: string
}

/** Paths of one column that are still to be placed. */
interface Supply {
  readonly image: string[]
  readonly video: (string | readonly string[])[]
}

/** Turns a parsed row into an Example; throws an InputError that names the place, the field and what was expected. */
export function parseRow(value: unknown, context: RowContext): Example {
  if (!isObject(value)) throw wrong(context, 'row', 'a JSON object', value)
  const { prompt, completion: given, ...columns } = value
  const supply: Supply = { image: readImages(value, context), video: readVideos(value, context) }
  const offered = { image: supply.image.length, video: supply.video.length }
  const all = parseMessages(
    value.messages ?? prompt,
    prompt !== undefined && value.messages === undefined ? 'prompt' : 'messages',
    context,
    supply,
  )
  checkSupply(supply, offered, context)
  const { messages, completion } = splitCompletion(all, parseCompletion(given, context))
  if (messages.length === 0) throw wrong(context, 'messages', 'at least one message before the answer', all)
  checkScalar(value, 'id', context)
  checkScalar(value, 'answer', context)
  return { ...columns, messages, ...(completion === undefined ? {} : { completion }) }
}

function parseMessages(value: unknown, field: string, context: RowContext, supply: Supply): Message[] {
  if (typeof value === 'string') return [{ role: 'user', content: value }]
  if (!Array.isArray(value) || value.length === 0) {
    throw wrong(context, field, 'a list of messages { "role", "content" }', value)
  }
  return value.map((message: unknown, index) => parseMessage(message, `${field}[${index}]`, context, supply))
}

function parseMessage(value: unknown, field: string, context: RowContext, supply: Supply): Message {
  if (!isObject(value)) throw wrong(context, field, 'an object { "role", "content" }', value)
  const { role, content } = value
  if (role !== 'system' && role !== 'user' && role !== 'assistant') {
    throw wrong(context, `${field}.role`, '"system", "user" or "assistant"', role)
  }
  if (typeof content === 'string') return { role, content }
  if (!Array.isArray(content)) throw wrong(context, `${field}.content`, 'a string or a list of parts', content)
  return {
    role,
    content: content.map((part: unknown, i) => parsePart(part, `${field}.content[${i}]`, context, supply)),
  }
}

function parsePart(value: unknown, field: string, context: RowContext, supply: Supply): ContentPart {
  if (!isObject(value)) throw wrong(context, field, 'an object with "type"', value)
  if (value.type === 'text') {
    if (typeof value.text !== 'string') throw wrong(context, `${field}.text`, 'a string', value.text)
    return { type: 'text', text: value.text }
  }
  if (value.type === 'image') {
    const image = value.image ?? supply.image.shift()
    if (image === undefined) throw missingMedia('image', field, context)
    if (typeof image !== 'string') throw wrong(context, `${field}.image`, 'the path of an image file', image)
    return { type: 'image', image: resolve(context.mediaRoot, image) }
  }
  if (value.type === 'video') {
    const video = value.video ?? supply.video.shift()
    if (video === undefined) throw missingMedia('video', field, context)
    return { type: 'video', video: parseVideo(video, `${field}.video`, context) }
  }
  throw wrong(context, `${field}.type`, '"text", "image" or "video"', value.type)
}

function parseVideo(value: unknown, field: string, context: RowContext): string | readonly string[] {
  if (typeof value === 'string') return resolve(context.mediaRoot, value)
  if (isStrings(value) && value.length > 0) return value.map((frame) => resolve(context.mediaRoot, frame))
  throw wrong(context, field, 'the path of a video file or a list of frame paths', value)
}

function readImages(row: Record<string, unknown>, context: RowContext): string[] {
  const value = row.images ?? row.image
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return [value]
  if (isStrings(value)) return [...value]
  throw wrong(context, row.images === undefined ? 'image' : 'images', 'a list of image paths', value)
}

function readVideos(row: Record<string, unknown>, context: RowContext): (string | readonly string[])[] {
  const value = row.videos ?? row.video
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return [value]
  if (Array.isArray(value) && value.every((video) => typeof video === 'string' || isStrings(video))) return [...value]
  throw wrong(context, row.videos === undefined ? 'video' : 'videos', 'a list of video paths', value)
}

/** Paths in a column that no placeholder asked for are a mistake only when others were asked for from the same column. */
function checkSupply(supply: Supply, offered: { image: number; video: number }, context: RowContext): void {
  for (const kind of ['image', 'video'] as const) {
    const used = offered[kind] - supply[kind].length
    if (used > 0 && supply[kind].length > 0) {
      throw dataError(
        `${context.where}: expected as many {"type": "${kind}"} placeholders as ${kind}s, got ${used} for ${offered[kind]}`,
      )
    }
  }
}

function parseCompletion(value: unknown, context: RowContext): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  const [first, ...rest] = Array.isArray(value) ? (value as unknown[]) : []
  if (isObject(first) && rest.length === 0 && first.role === 'assistant') {
    const text = textOf(first.content)
    if (text !== undefined) return text
  }
  throw wrong(context, 'completion', 'a string or one assistant message', value)
}

function splitCompletion(messages: readonly Message[], completion: string | undefined) {
  const last = messages.at(-1)
  if (completion !== undefined || last?.role !== 'assistant') return { messages, completion }
  return { messages: messages.slice(0, -1), completion: textOf(last.content) }
}

/** The text of a message's content: a text, or parts that are nothing else. */
export function textOf(content: unknown): string | undefined {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return undefined
  const texts = content.map((part: unknown) =>
    isObject(part) && typeof part.text === 'string' ? part.text : undefined,
  )
  return texts.includes(undefined) ? undefined : texts.join('')
}

function checkScalar(row: Record<string, unknown>, field: 'id' | 'answer', context: RowContext): void {
  const value = row[field]
  if (value === undefined || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return
  throw wrong(context, field, 'a string or a number', value)
}

function missingMedia(kind: 'image' | 'video', field: string, context: RowContext): InputError {
  return dataError(
    `${context.where}: ${field}: more ${kind} placeholders than ${kind}s; give each its path ("${kind}": "…") or list them in "${kind}s"`,
  )
}

/** The error of a row; the message starts with the place. */
export function wrong(
  { where }: Pick<RowContext, 'where'>,
  field: string,
  expected: string,
  value: unknown,
): InputError {
  return dataError(`${where}: ${field}: expected ${expected}, got ${shown(value)}`)
}
