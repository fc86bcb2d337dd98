/** Question rows as rows to train on: the video, the question with its options, and the instruction of the answer's style. */
import { join } from 'node:path'
import type { ContentPart, Example } from '../../types.js'
import { instructions } from './instructions.js'
import type { AnswerStyle } from './options.js'
import type { QuestionRow } from './row.js'

export interface TrainingRow extends QuestionRow, Example {
  readonly id: QuestionRow['id'] & Example['id']
  readonly answer: string
  readonly completion: string
}

/** Adds `messages`, `answer` and `completion`; the film is `<videos>/<dataset>/<scene>.mp4`, as VSI-Bench lays them out. */
export function trainingRow(row: QuestionRow, style: AnswerStyle, videos: string): TrainingRow {
  const content: ContentPart[] = [
    { type: 'video', video: join(videos, row.dataset, `${row.scene_name}.mp4`) },
    { type: 'text', text: promptOf(row, style) },
  ]
  return { ...row, messages: [{ role: 'user', content }], answer: row.ground_truth, completion: row.ground_truth }
}

function promptOf({ question, options }: QuestionRow, style: AnswerStyle): string {
  if (style === 'word') return `${question}\n${instructions.word}`
  if (options === null) return `${question}\n${instructions.open}`
  return [question, 'Options:', ...options, instructions[style]].join('\n')
}
