/** What a question of VSI-Bench is about, read from its wording, for the blind controls. */
import type { Question } from './questions.js'

const patterns: readonly RegExp[] = [
  /^How many (.+)\(s\) are/,
  /dimension \(.+\) of the (.+), measured/,
  /distance between the (.+) and the (.+) \(in meters\)/,
  /is the closest to the (.+)\?/,
]

/** The row's own category, else the object or the pair of objects that the wording names; '' for none. */
export function categoryOf({ category, question }: Pick<Question, 'category' | 'question'>): string {
  if (category !== undefined) return category
  for (const pattern of patterns) {
    const found = pattern.exec(question)
    if (found) return found.slice(1).sort().join(' | ')
  }
  return ''
}
