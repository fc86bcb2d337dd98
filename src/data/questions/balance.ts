/**
 * Keeps the answers of a data set uniform, so that guessing pays little: within a family of questions (the counted
 * category, the set of listed objects) no possible answer is right more often than its share of the questions.
 */
import type { Question } from './question.js'

export class AnswerLedger {
  private readonly surplus = new Map<string, number>()

  /** How many more times this answer was right than its share; 0 at the start and for kinds that are not balanced. */
  excess(question: Question): number {
    return question.balance === null ? 0 : (this.surplus.get(keyOf(question, question.answer)) ?? 0)
  }

  add(question: Question): void {
    const answers = question.balance?.answers ?? []
    for (const answer of answers) {
      const right = answer === question.answer ? 1 : 0
      const key = keyOf(question, answer)
      this.surplus.set(key, (this.surplus.get(key) ?? 0) + right - 1 / answers.length)
    }
  }
}

function keyOf(question: Question, answer: string): string {
  return `${question.kind}|${question.balance?.family ?? ''}|${answer}`
}
