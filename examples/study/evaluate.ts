/** Greedy answers to the test questions, as points of VSI-Bench's scorer. */
import type { Policy } from 'vsgrpo'
import { completionTokens, type Mode, pointsOf } from './modes.js'
import type { RoomRows } from './room-rows.js'

export interface Answers {
  /** [Q] 0 to 1 in tenths. */
  readonly points: readonly number[]
  /** [Q] */
  readonly completions: readonly string[]
}

/** Seven questions about each of 40 rooms. */
const promptsPerBatch = 280

export async function evaluate(policy: Policy, data: RoomRows, mode: Mode, signal: AbortSignal): Promise<Answers> {
  const completions: string[] = []
  for (let first = 0; first < data.rows.length; first += promptsPerBatch) {
    const part = data.rows.slice(first, first + promptsPerBatch)
    const prompts = await Promise.all(part.map((row) => data.encode(row, policy.processor)))
    const options = { temperature: 0, maxNewTokens: completionTokens[mode], signal }
    completions.push(...(await policy.generate(prompts, options)).map(([completion]) => completion?.text ?? ''))
  }
  return { completions, points: data.rows.map((row, i) => pointsOf(row, completions[i] ?? '', mode)) }
}
