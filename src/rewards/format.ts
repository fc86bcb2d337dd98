/** Whether a completion keeps the form that its prompt asks for. Strict, because loose checks get gamed. */
import { named, type RewardFunc } from './reward.js'

/** think: `<think>…</think><answer>…</answer>`; observe: `<observe>…</observe><answer>…</answer>`; vanilla: no tags. */
export type AnswerFormat = 'think' | 'observe' | 'vanilla'

/** 1 when exactly one pair of each tag is there, in order, with something in each and nothing outside; else 0. */
export function formatReward(format: AnswerFormat): RewardFunc {
  return named('format', ({ text }) => (keepsFormat(text, format) ? 1 : 0))
}

function keepsFormat(text: string, format: AnswerFormat): boolean {
  if (format === 'vanilla') return text.trim() !== '' && !/<\/?(think|observe|answer)>/.test(text)
  const whole = new RegExp(`^\\s*<${format}>([\\s\\S]*?)</${format}>\\s*<answer>([\\s\\S]*?)</answer>\\s*$`)
  const bodies = whole.exec(text)
  if (!bodies) return false
  // A tag inside a body is a second pair, whichever kind it is.
  return bodies.slice(1).every((body) => body.trim() !== '' && !/<\/?(think|observe|answer)>/.test(body))
}
