/** Greedy answers on held-out rooms: accuracy and reward, over all questions and by kind. */
import type { Policy, Prompt } from 'vsgrpo'
import type { RoomData } from './room-data.js'

export interface Score {
  accuracy: number
  reward: number
  count: number
}

export interface Evaluation extends Score {
  readonly byTask: Record<string, Score>
  /** Part of the answers that have the form of an answer to their question. */
  readonly parsed: number
  readonly completions: readonly string[]
}

const promptsPerBatch = 96

export async function evaluate(policy: Policy, data: RoomData, maxNewTokens: number): Promise<Evaluation> {
  const answers: string[] = []
  for (let first = 0; first < data.rows.length; first += promptsPerBatch) {
    const part = data.rows.slice(first, first + promptsPerBatch)
    const prompts: Prompt[] = await Promise.all(part.map((row) => data.encode(row, policy.processor)))
    const groups = await policy.generate(prompts, { temperature: 0, maxNewTokens })
    answers.push(...groups.map(([completion]) => completion?.text ?? ''))
  }
  return score(data, answers)
}

/** Scores answers given by any means, the blind control's too. */
export function score(data: RoomData, answers: readonly string[]): Evaluation {
  const byTask: Record<string, Score> = {}
  const known = new Set(data.rows.map(({ answer }) => answer))
  let parsed = 0
  data.rows.forEach((row, i) => {
    const answer = answers[i]?.trim() ?? ''
    if (known.has(answer)) parsed++
    const task = byTask[row.question_type] ?? { accuracy: 0, reward: 0, count: 0 }
    byTask[row.question_type] = task
    task.count++
    task.accuracy += answer === row.answer ? 1 : 0
  })
  let right = 0
  for (const task of Object.values(byTask)) {
    right += task.accuracy
    task.accuracy /= task.count
    task.reward = task.accuracy
  }
  const accuracy = right / data.rows.length
  return {
    accuracy,
    reward: accuracy,
    count: data.rows.length,
    byTask,
    parsed: parsed / data.rows.length,
    completions: answers,
  }
}
