/**
 * Rows as other projects write them, turned into the form that `parseRow` reads: TRL's conversational columns (prompt,
 * images, videos, solution, completion, chosen, rejected), R1-V's and Video-R1's (problem, solution), LLaVA's
 * (conversations). Pure; columns that are not understood pass through.
 */
import { dataError } from '../errors.js'
import { isObject, isStrings, type JsonObject, shortened } from '../json.js'
import { wrong } from './row.js'

export const rowForms = ['messages', 'trl', 'r1-v', 'llava'] as const
export type RowForm = (typeof rowForms)[number]

export interface AdaptContext {
  /** Named in errors: `questions.jsonl:12`. */
  readonly where: string
  /** Default: told by the row's columns. */
  readonly form?: RowForm
}

type Row = JsonObject
type Part = { readonly type: string; readonly [field: string]: unknown }

/** The row in our own form; throws an InputError that names the place, the column and what was expected. */
export function adaptRow(value: unknown, context: AdaptContext): Row {
  if (!isObject(value)) throw wrong(context, 'row', 'a JSON object', value)
  try {
    return adapt(normalized(value), context)
  } catch (error) {
    // JSON.parse takes any depth; comparing and printing what it made does not.
    if (error instanceof RangeError) throw wrong(context, 'row', 'an object of reasonable depth', undefined)
    throw error
  }
}

function adapt(row: Row, context: AdaptContext): Row {
  switch (context.form ?? detectForm(row, context)) {
    case 'messages':
      return row
    case 'trl':
      return fromTrl(row, context)
    case 'r1-v':
      return fromR1V(row, context)
    case 'llava':
      return fromLlava(row, context)
  }
}

/** Which form a row's columns are of. */
export function detectForm(row: Row, context: AdaptContext): RowForm {
  if (row.messages !== undefined) return 'messages'
  if (row.conversations !== undefined) return 'llava'
  if (row.problem !== undefined) return 'r1-v'
  if (row.prompt !== undefined || (row.chosen !== undefined && row.rejected !== undefined)) return 'trl'
  const names = Object.keys(row)
  const got = names.length > 0 ? shortened(names.slice(0, 8).join(', ')) : 'no columns'
  throw dataError(
    `${context.where}: messages: expected a list of messages, or the columns prompt (TRL), problem and solution (R1-V) or conversations (LLaVA), got ${got}`,
  )
}

/** TRL: an explicit prompt, or one that `chosen` and `rejected` both begin with. Texts and media columns go together. */
function fromTrl(row: Row, context: AdaptContext): Row {
  const pair = row.prompt === undefined ? splitPair(row, context) : undefined
  const { prompt, ...rest } = { ...row, ...pair }
  const messages = typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt
  if (!Array.isArray(messages)) throw wrong(context, 'prompt', 'a text or a list of messages', prompt)
  return { ...rest, ...answerOf(row), messages: withPlaceholders(messages, mediaKinds(row)) }
}

/** R1-V: { image, problem, solution }; Video-R1: { data_type, path, problem, options, solution }. */
function fromR1V(row: Row, context: AdaptContext): Row {
  const { problem, options, path, data_type: kind, ...rest } = row
  if (typeof problem !== 'string') throw wrong(context, 'problem', 'a text', problem)
  const listed = isStrings(options) && options.length > 0 ? `\nOptions:\n${options.join('\n')}` : ''
  const media = path === undefined ? {} : pathColumn(kind, path, context)
  const columns = { ...rest, ...(options === undefined ? {} : { options }), ...media }
  const content = [{ type: 'text', text: `${problem}${listed}` }]
  const messages = withPlaceholders([{ role: 'user', content }], mediaKinds(columns))
  return { ...columns, ...answerOf(row), messages }
}

function pathColumn(kind: unknown, path: unknown, context: AdaptContext): Row {
  if (typeof path !== 'string') throw wrong(context, 'path', 'a file path', path)
  if (kind === 'image' || kind === 'video') return { [`${kind}s`]: [path] }
  throw wrong(context, 'data_type', '"image" or "video"', kind)
}

const speakers: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  assistant: 'assistant',
  system: 'system',
}

/** LLaVA: turns { from, value } in which <image> and <video> stand for the files of the media columns. */
function fromLlava(row: Row, context: AdaptContext): Row {
  const { conversations, ...rest } = row
  if (!Array.isArray(conversations) || conversations.length === 0) {
    throw wrong(context, 'conversations', 'a list of { "from", "value" }', conversations)
  }
  const messages = conversations.map((turn: unknown, i) => {
    const field = `conversations[${i}]`
    if (!isObject(turn)) throw wrong(context, field, 'an object { "from", "value" }', turn)
    const role = typeof turn.from === 'string' ? speakers[turn.from] : undefined
    if (role === undefined) throw wrong(context, `${field}.from`, '"human", "gpt" or "system"', turn.from)
    if (typeof turn.value !== 'string') throw wrong(context, `${field}.value`, 'a text', turn.value)
    return { role, content: role === 'user' ? splitTags(turn.value) : turn.value }
  })
  return { ...rest, messages: withPlaceholders(messages, mediaKinds(row)) }
}

/** The text around <image> and <video>, without the line break that LLaVA puts between a tag and the text. */
function splitTags(text: string): Part[] {
  return text.split(/\n?(<image>|<video>)\n?/).flatMap((piece) => {
    if (piece === '<image>' || piece === '<video>') return [{ type: piece.slice(1, -1) }]
    return piece === '' ? [] : [{ type: 'text', text: piece }]
  })
}

/** One entry for each file of the media columns, images first, as TRL places them. */
function mediaKinds(row: Row): ('image' | 'video')[] {
  const count = (value: unknown): number => (Array.isArray(value) ? value.length : typeof value === 'string' ? 1 : 0)
  return (['image', 'video'] as const).flatMap((kind) =>
    Array.from({ length: count(row[`${kind}s`] ?? row[kind]) }, () => kind),
  )
}

/** Where no message shows any media, all of them come before the first user's text. */
function withPlaceholders(messages: readonly unknown[], kinds: readonly ('image' | 'video')[]): readonly unknown[] {
  const shown = messages.some(
    (message) => isObject(message) && Array.isArray(message.content) && message.content.some(isMediaPart),
  )
  const first = messages.findIndex((message) => isObject(message) && message.role === 'user')
  const user = messages[first]
  if (shown || kinds.length === 0 || !isObject(user)) return messages
  const text = typeof user.content === 'string' ? [{ type: 'text', text: user.content }] : user.content
  if (!Array.isArray(text)) return messages
  return messages.with(first, { ...user, content: [...kinds.map((type) => ({ type })), ...text] })
}

function isMediaPart(part: unknown): boolean {
  return isObject(part) && (part.type === 'image' || part.type === 'video')
}

/** `answer` from R1-V's solution, without its tag; a row's own answer stays. */
function answerOf({ answer, solution }: Row): Row {
  if (answer !== undefined || (typeof solution !== 'string' && typeof solution !== 'number')) return {}
  const tagged = /<answer>([\s\S]*)<\/answer>/.exec(String(solution))?.[1]
  return { answer: tagged === undefined ? solution : tagged.trim() }
}

/** The messages that `chosen` and `rejected` share are the prompt; one assistant's message of each is left. */
function splitPair(row: Row, context: AdaptContext): Row {
  const { chosen, rejected } = row
  if (!Array.isArray(chosen) || !Array.isArray(rejected)) {
    throw wrong(context, 'prompt', 'a prompt, or chosen and rejected as lists of messages that begin alike', row.prompt)
  }
  const equal = (i: number): boolean => JSON.stringify(chosen[i]) === JSON.stringify(rejected[i])
  let length = 0
  while (length < chosen.length && length < rejected.length && equal(length)) length++
  if (length === 0) throw wrong(context, 'chosen', 'a beginning in common with rejected', chosen)
  if (length === chosen.length || length === rejected.length) {
    throw wrong(context, 'rejected', 'an answer that differs from chosen', rejected)
  }
  return { prompt: chosen.slice(0, length), chosen: chosen.slice(length), rejected: rejected.slice(length) }
}

const mediaColumns = ['image', 'images', 'video', 'videos']
const readColumns = [
  ...mediaColumns,
  ...['messages', 'prompt', 'completion', 'chosen', 'rejected', 'conversations', 'problem', 'solution', 'options'],
  ...['path', 'id', 'answer'],
]

/**
 * Without nulls in the columns that are read: tables have a cell for every column. Hugging Face's { path, bytes } of media
 * without bytes is its path, and `file_name`, as its folders of images and videos have it, is the row's one medium.
 */
function normalized(row: Row): Row {
  const { file_name: file } = row
  const named = typeof file === 'string' && mediaColumns.every((name) => row[name] === undefined)
  const media = named ? { [/\.(mp4|mkv|webm|mov|avi)$/i.test(file) ? 'videos' : 'images']: [file] } : {}
  return Object.fromEntries(
    Object.entries({ ...row, ...media })
      .filter(([name, value]) => value !== null || !readColumns.includes(name))
      .map(([name, value]) => [name, mediaColumns.includes(name) ? plainPaths(value) : value]),
  )
}

function plainPaths(value: unknown): unknown {
  return Array.isArray(value) ? value.map(plainPath) : plainPath(value)
}

function plainPath(value: unknown): unknown {
  return isObject(value) && typeof value.path === 'string' && !value.bytes ? value.path : value
}
