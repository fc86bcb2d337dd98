/** Two functions of Python that the published scorer rests on, to the letter: what counts as a number decides points. */

/** str.strip(): these characters and no others, so not U+FEFF, but the separators U+001C to U+001F. */
const blank = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const outerBlank = new RegExp(`^${blank}+|${blank}+$`, 'g')

export function strip(text: string): string {
  return text.replace(outerBlank, '')
}

const finite = /^[-+]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+(?:_\d+)*)?$/i
const special = /^([-+]?)(inf|infinity|nan)$/i

/** float(text) of a stripped text: undefined where Python raises ValueError. Digits of any script, `_` between digits. */
export function float(text: string): number | undefined {
  const plain = text.replace(/(?![0-9])\p{Nd}/gu, asciiDigit)
  const [, sign, name] = special.exec(plain) ?? []
  if (name !== undefined) {
    if (name.toLowerCase() === 'nan') return Number.NaN
    return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  return finite.test(plain) ? Number(plain.replaceAll('_', '')) : undefined
}

/** Decimal digits come in runs of ten, zero first. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  let first = code
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1
  return String((code - first) % 10)
}
