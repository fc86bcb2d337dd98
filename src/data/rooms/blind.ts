/**
 * Controls that cannot see: the best answer from the question's text alone, and frames without content.
 */
import { groupBy } from '../../group-by.js'
import { splitOption } from '../questions/marks.js'

/** The columns that a blind guesser reads. */
export interface BlindRow {
  readonly question_type: string
  readonly category: string
  /** 'A. chair', …, or null. */
  readonly options: readonly string[] | null
}

export interface AnsweredRow extends BlindRow {
  readonly answer: string
}

type Guess = (row: BlindRow) => string

/**
 * Fits on training rows and returns a guesser. Per kind of question it keeps the best, on the training rows, of: the
 * most frequent answer of the kind and category; the listed option that is most often right; the position in the list
 * that is most often right.
 */
export function fitBlind(rows: readonly AnsweredRow[]): Guess {
  const guesses = new Map<string, Guess>()
  for (const [kind, ofKind] of groupBy(rows, (row) => row.question_type)) {
    const strategies = [frequentAnswer(ofKind), listedOption(ofKind), listedPosition(ofKind)]
    const hits = (guess: Guess): number => ofKind.filter((row) => guess(row) === row.answer).length
    guesses.set(
      kind,
      strategies.reduce((best, next) => (hits(next) > hits(best) ? next : best)),
    )
  }
  return (row) => guesses.get(row.question_type)?.(row) ?? ''
}

/** Frames of the same size without content: every byte 128. */
export function grey(frames: Uint8Array): Uint8Array {
  return new Uint8Array(frames.length).fill(128)
}

function frequentAnswer(rows: readonly AnsweredRow[]): Guess {
  const overall = mostFrequent(rows.map((row) => row.answer))
  const byCategory = new Map<string, string>()
  for (const [category, some] of groupBy(rows, (row) => row.category)) {
    byCategory.set(category, mostFrequent(some.map((row) => row.answer)))
  }
  return (row) => byCategory.get(row.category) ?? overall
}

function listedOption(rows: readonly AnsweredRow[]): Guess {
  const won = tally(rows.map((row) => row.answer))
  const listed = tally(rows.flatMap(names))
  const rate = (option: string): number => (won.get(option) ?? 0) / (listed.get(option) ?? 1)
  return (row) => [...names(row)].sort((a, b) => rate(b) - rate(a))[0] ?? ''
}

function listedPosition(rows: readonly AnsweredRow[]): Guess {
  const position = Number(mostFrequent(rows.map((row) => String(names(row).indexOf(row.answer)))))
  return (row) => names(row)[position] ?? ''
}

/** The options without their letters. */
function names(row: BlindRow): string[] {
  return (row.options ?? []).map((option) => splitOption(option).text)
}

function mostFrequent(values: readonly string[]): string {
  const [best] = [...tally(values)].sort((a, b) => b[1] - a[1])
  return best?.[0] ?? ''
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
