/**
 * The tokens of a prompt that an assistant wrote: its turns before the one that is to be answered. Qwen2-VL's template opens
 * a turn with `<|im_start|>assistant` and a line break, and ends it with the end token and a line break.
 */
import type { PolicyProcessor } from '../../policy.js'
import type { Message } from '../../types.js'
import type { AnswerValues } from '../answers.js'

/** [T] 1 for the tokens of the assistant's turns, ends included (`turn`: with the line break), and how many turns there are. */
export function assistantTurns(
  ids: Int32Array,
  processor: Pick<PolicyProcessor, 'encode' | 'eosIds'>,
  end: AnswerValues['completionEnd'],
): { readonly mask: Float32Array; readonly count: number } {
  const [endId] = processor.eosIds
  const [opening, lineBreak] = [processor.encode('<|im_start|>assistant'), processor.encode('\n')]
  const mask = new Float32Array(ids.length)
  let count = 0
  for (let at = 0; at < ids.length; at++) {
    if (!startsWith(ids, at, opening)) continue
    const begin = at + opening.length + lineBreak.length
    const last = endId === undefined ? -1 : ids.indexOf(endId, begin)
    // The turn that is to be answered is open.
    if (last < 0) break
    mask.fill(1, begin, last + 1 + (end === 'turn' ? lineBreak.length : 0))
    count++
    at = last
  }
  return { mask, count }
}

/** How many turns of the assistant messages have. */
export function countTurns(messages: readonly Message[]): number {
  return messages.filter(({ role }) => role === 'assistant').length
}

function startsWith(ids: Int32Array, at: number, part: Int32Array): boolean {
  return part.every((id, i) => ids[at + i] === id)
}
