/** Given answers as tokens: shared by SFT and DPO. */
import { shown } from '../json.js'
import type { PolicyProcessor } from '../policy.js'
import type { Prompt } from '../types.js'
import { choice, type Fields, integer, type Values } from './fields.js'
import { unusable } from './unusable-rows.js'

/** Options of every trainer on given answers. */
export const answerFields = {
  /**
   * Prompt and answer tokens together; longer answers are cut, as TRL does. 0 (TRL: null) = no limit. A prompt that leaves no
   * room for its answer makes the row unusable: placeholders of images and videos cannot be cut.
   */
  maxLength: { ...integer(1024, 0), read: (value) => (value === null ? 0 : value) },
  truncationMode: choice('keep_start', ['keep_start']),
  /**
   * What follows an answer's text: the end token, with which sampling stops too, or all that the chat template writes after a
   * turn. Qwen2-VL's is the end token and a line break, which TRL trains on for conversational rows.
   */
  completionEnd: choice('eos', ['eos', 'turn']),
} satisfies Fields

export type AnswerValues = Values<typeof answerFields>

/** The tokens of an answer with its end. Throws an InputError that names place and field when there is none. */
export function encodeAnswer(
  text: unknown,
  processor: PolicyProcessor,
  { place, field, end = 'eos' }: { place: string; field: string; end?: AnswerValues['completionEnd'] },
): Int32Array {
  if (typeof text !== 'string' || text.trim() === '') {
    const got = typeof text === 'string' ? 'an empty text' : shown(text)
    throw unusable(`${place}: ${field}: expected the answer to learn, got ${got}`)
  }
  const [endId] = processor.eosIds
  const after = end === 'turn' ? processor.encode('\n') : []
  return Int32Array.from([...processor.encode(text), ...(endId === undefined ? [] : [endId]), ...after])
}

/** The answer as far as `maxLength` and the model's positions allow; an InputError when that is not at all. */
export function cutAnswer(
  ids: Int32Array,
  prompt: Prompt,
  { place, maxLength, maxPositions }: { place: string; maxLength: number; maxPositions: number },
): Int32Array {
  const limit = Math.min(maxLength || Number.POSITIVE_INFINITY, maxPositions)
  const room = limit - prompt.ids.length
  if (room > 0) return ids.subarray(0, room)
  const name = limit === maxLength ? 'maxLength' : "the model's"
  const cure = limit === maxLength ? 'raise maxLength (0 = no limit) or use' : 'use'
  throw unusable(
    `${place}: the prompt has ${prompt.ids.length} tokens, ${name} ${limit} leaves no room for an answer; ${cure} fewer or smaller frames`,
  )
}
