/** Checks messages that came from outside and finds their images and videos. Complaints name message and part. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { didYouMean, InputError } from '../errors.js'
import { isObject } from '../json.js'
import type { Message } from '../types.js'
import type { Frames } from './frames.js'
import type { MediaSource } from './media.js'

export interface ConversationOptions {
  /** Folder that relative paths start from (default: the working directory). */
  readonly baseDir?: string
  /** Decoded pixels that stand in for the paths, in the order of the parts. */
  readonly frames?: readonly Frames[]
}

const ROLES = ['system', 'user', 'assistant']
const PARTS = ['text', 'image', 'video']

/** The media of a conversation in order. Throws InputError for anything that is not a message. */
export function mediaSources(messages: readonly Message[], options: ConversationOptions = {}): MediaSource[] {
  const list: unknown = messages
  if (!Array.isArray(list) || list.length === 0) throw new InputError("'messages' must be a non-empty list of messages")
  const sources: MediaSource[] = []
  list.forEach((message: unknown, m) => {
    const where = `messages[${m}]`
    if (!isObject(message)) throw new InputError(`${where}: expected { role, content }`)
    if (!ROLES.includes(String(message.role))) throw unknown(`${where}.role`, message.role, ROLES)
    if (typeof message.content === 'string') return
    if (!Array.isArray(message.content)) throw new InputError(`${where}.content: expected a text or a list of parts`)
    message.content.forEach((part: unknown, p) => {
      const source = partSource(part, `${where}.content[${p}]`, { ...options, index: sources.length })
      if (source) sources.push(source)
    })
  })
  const given = options.frames?.length ?? 0
  if (given > sources.length) throw new InputError(`${given} frames for ${sources.length} image and video parts`)
  return sources
}

type PartOptions = ConversationOptions & { readonly index: number }

function partSource(part: unknown, where: string, options: PartOptions): MediaSource | undefined {
  if (!isObject(part)) throw new InputError(`${where}: expected a part { type, … }`)
  if (part.type === 'text') {
    if (typeof part.text === 'string') return undefined
    throw new InputError(`${where}: a text part needs a string in 'text'`)
  }
  if (part.type !== 'image' && part.type !== 'video') throw unknown(`${where}.type`, part.type, PARTS)
  const kind = part.type
  if (options.frames) {
    const pixels = options.frames[options.index]
    if (pixels) return { kind, pixels }
    throw new InputError(`${where}: no frames were given for this ${kind}`)
  }
  const path: unknown = part[kind]
  if (typeof path === 'string' && path !== '') return { kind, file: toFile(path, where, options.baseDir) }
  if (kind === 'video' && isPathList(path)) {
    return { kind, files: path.map((frame) => toFile(frame, where, options.baseDir)) }
  }
  const expected = kind === 'image' ? 'a path' : 'a path or a list of frame paths'
  throw new InputError(`${where}: a ${kind} part needs ${expected} in '${kind}'`)
}

function isPathList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((path) => typeof path === 'string' && path !== '')
}

function toFile(path: string, where: string, baseDir = '.'): string {
  if (path.startsWith('file://')) return fileURLToPath(path)
  if (/^(https?|data):/.test(path)) {
    throw new InputError(`${where}: '${path.slice(0, 40)}' is not a file on disk`, { hint: 'Download it first.' })
  }
  return resolve(baseDir, path)
}

function unknown(where: string, value: unknown, allowed: readonly string[]): InputError {
  const got = `${JSON.stringify(value)}${didYouMean(value, allowed)}`
  return new InputError(`${where}: expected one of ${allowed.join(', ')}, got ${got}`)
}
