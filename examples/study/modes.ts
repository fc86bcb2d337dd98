/** The three prompt modes of the paper (section 3.2), and how answers to them are read and scored. */
import type { RoomExample } from 'vsgrpo/data'
import { letterOfName, predictionOf, questionText, scorePrediction } from '../../src/eval/index.js'

export const modes = ['vanilla', 'think', 'observe'] as const
export type Mode = (typeof modes)[number]

/** The library's names of the paper's wordings; `short` is the sentence that its vanilla mode trains with. */
const prompts = { vanilla: 'short', think: 'think', observe: 'observe' } as const

/** Tokens that a completion may have: the longest right answer has 7; thoughts about every object about 50. */
export const completionTokens: Readonly<Record<Mode, number>> = { vanilla: 10, think: 80, observe: 80 }

/** What is asked. Options are not shown: answers are a number, a name or names in order, as in VSI-100k. */
export function promptText({ question }: Pick<RoomExample, 'question'>, mode: Mode): string {
  return questionText({ question, options: null }, prompts[mode])
}

/** What of a completion is its answer. */
export function answerOf(completion: string, mode: Mode): string {
  return predictionOf(completion, prompts[mode])
}

/** VSI-Bench's points, 0 to 1 in tenths; a name counts as the letter of its option. */
export function pointsOf(row: RoomExample, completion: string, mode: Mode): number {
  return scorePrediction(row, letterOfName(answerOf(completion, mode), row.options))
}
