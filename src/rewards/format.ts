/** Whether a completion keeps the form that its prompt asks for. Strict, because loose checks get gamed. */
import { named, type RewardFunc } from './reward.js'

/** think: `<think>…</think><answer>…</answer>`; observe: `<observe>…</observe><answer>…</answer>`; vanilla: no tags. */
export type AnswerFormat = 'think' | 'observe' | 'vanilla'

/**
 * 1 when exactly one pair of each tag is there, in order, with something visible in each and nothing outside; else 0.
 * So the tricks that the paper saw (arXiv 2504.00883, 3.3.3) earn nothing: an empty pair, more empty pairs as padding, the
 * tag of another mode. Tags must be written exactly; another way of writing one (`<Think>`, `< think >`) is a wrong tag.
 */
export function formatReward(format: AnswerFormat): RewardFunc {
  return named('format', ({ text }) => (keepsFormat(text, format) ? 1 : 0))
}

/** Any way of writing a tag of any mode. No two runs of spaces touch, so that it stays linear on any text. */
const anyTag = /<(?:\s*\/)?\s*(?:think|observe|answer)\s*(?:\/\s*)?>/gi

function keepsFormat(text: string, format: AnswerFormat): boolean {
  const tags = (text.match(anyTag) ?? []).join('')
  if (format === 'vanilla') return tags === '' && isVisible(text)
  if (tags !== `<${format}></${format}><answer></answer>`) return false
  const [before = '', body = '', between = '', answer = '', after = ''] = text.split(anyTag)
  return isVisible(body) && isVisible(answer) && `${before}${between}${after}`.trim() === ''
}

/** Whether there is more than spaces, control characters and characters of no width. */
function isVisible(text: string): boolean {
  return /[^\s\p{C}]/u.test(text)
}
