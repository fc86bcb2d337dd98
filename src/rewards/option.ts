/**
 * Multiple choice: which option an answer names, by its letter, or by its letter and text. Reads what models say and rows of
 * any source: brackets, lower case and options without a letter too, which data's `splitOption` does not take.
 */
import { normalizeAnswer } from './answer.js'

interface Option {
  /** Lower case. */
  readonly letter: string
  readonly text: string
}

/** The example's column `options`: 'A. chair' with a letter, or 'chair', lettered in order; [] when there is no such list. */
export function readOptions(column: unknown): readonly Option[] {
  if (!Array.isArray(column) || !column.every((option) => typeof option === 'string')) return []
  return column.map((option: string, i) => {
    const text = normalizeAnswer(option)
    const { letter, rest } = splitLetter(text) ?? {}
    return letter && rest ? { letter, text: rest } : { letter: String.fromCharCode(97 + i), text }
  })
}

/**
 * Whether an answer names the right option. Where the right answer is a letter: "A", "A.", "(A)", "A. chair" with the
 * option's own text. Where it is the option's text, a letter alone is a guess that the prompt did not ask for: "A. chair" only.
 * `isSame` compares texts.
 */
export function namesOption(
  given: string,
  right: string,
  options: readonly Option[],
  isSame: (given: string, right: string) => boolean,
): boolean {
  const { letter, rest = '' } = splitLetter(normalizeAnswer(given)) ?? {}
  const wanted = normalizeAnswer(right)
  const byLetter = options.find((option) => option.letter === wanted)
  const option = byLetter ?? options.find(({ text }) => text === wanted)
  if (!option || letter !== option.letter) return false
  return rest === '' ? byLetter !== undefined : isSame(rest, option.text)
}

/** "a", "a." and "(a)" alone or with a text behind them. Not "a chair": there "a" is an article. */
function splitLetter(text: string): { letter: string; rest: string } | undefined {
  const match = /^(?:([a-z])[.):]?|\(([a-z])\)\.?)$|^(?:([a-z])[.):]|\(([a-z])\)[.:]?)\s?(.+)$/s.exec(text)
  if (!match) return undefined
  const [, alone, bracketed, before, beforeBracketed, rest = ''] = match
  return { letter: alone ?? bracketed ?? before ?? beforeBracketed ?? '', rest }
}
