/** How rewards read an answer out of a completion: the one `<answer>` body or the whole text, and numbers in it. */

/**
 * The body of the only `<answer>…</answer>` pair, or the whole text when it has no such tag; undefined when tags are
 * unpaired or repeated, so that listing several answers earns nothing.
 */
export function answerText(text: string): string | undefined {
  const opened = text.split('<answer>').length - 1
  const closed = text.split('</answer>').length - 1
  if (opened === 0 && closed === 0) return text
  if (opened !== 1 || closed !== 1) return undefined
  return /<answer>([\s\S]*)<\/answer>/.exec(text)?.[1]
}

/** Lower case, single spaces, no space around, no final full stop. */
export function normalizeAnswer(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/\s*\.$/, '')
}

const number = /^[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?/i

/**
 * The number that an answer is: "7", "1,200", "2.5 m", "113 square feet". A unit of at most two words may follow;
 * undefined for anything else ("about 3", "2 or 3").
 */
export function answerNumber(text: string): number | undefined {
  const trimmed = normalizeAnswer(text)
  const match = number.exec(trimmed)
  if (!match) return undefined
  const unit = trimmed.slice(match[0].length).trim()
  if (unit !== '' && !/^[\p{L}°%²³^]+[\d²³]?( [\p{L}²³]+)?$/u.test(unit)) return undefined
  return Number(match[0].replaceAll(',', ''))
}
