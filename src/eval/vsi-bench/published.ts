/**
 * Published results on VSI-Bench's 5,130 questions, for comparison: average, then the tasks in the benchmark's order.
 * Models: Improved Visual-Spatial Reasoning via R1-Zero-Like Training (arXiv 2504.00883 v2), table 2; T, O, V: trained and
 * asked with the think, observe or vanilla prompt. Baselines: Thinking in Space (arXiv 2412.14171).
 */
import { type TaskName, taskNames } from './tasks.js'

export interface PublishedRow {
  readonly name: string
  readonly average: number | null
  readonly tasks: Readonly<Record<TaskName, number | null>>
  /** Shown beside a result by default. */
  readonly main: boolean
}

export const publishedQuestions = 5130

type Numbers = readonly (number | null)[]

const lines: readonly (readonly [name: string, main: boolean, average: number | null, tasks: Numbers])[] = [
  ['chance', true, null, [null, null, null, null, 25.0, 36.1, 28.3, 25.0]],
  ['most frequent answer (benchmark)', true, 34.0, [62.1, 32.0, 29.9, 33.1, 25.1, 47.9, 28.4, 25.2]],
  ['Qwen2-VL-2B', true, 23.3, [21.4, 3.4, 32.3, 31.1, 26.7, 27.7, 24.7, 18.9]],
  ['Qwen2-VL-2B + SFT', true, 29.6, [29.6, 23.5, 47.4, 33.5, 26.9, 28.3, 28.8, 18.6]],
  ['Qwen2-VL-2B + DPO', false, 23.9, [21.7, 3.7, 34.8, 32.4, 27.1, 28.5, 24.2, 18.6]],
  ['Qwen2-VL-2B + vsGRPO-T, asked V', false, 26.1, [24.7, 10.7, 37.4, 36.2, 27.3, 29.5, 25.7, 17.9]],
  ['Qwen2-VL-2B + vsGRPO-O, asked V', false, 28.0, [26.2, 16.4, 44.8, 38.2, 27.0, 29.3, 24.2, 18.2]],
  ['Qwen2-VL-2B + vsGRPO-T, asked T', false, 29.6, [35.0, 28.2, 34.7, 25.2, 28.0, 38.5, 28.5, 18.7]],
  ['Qwen2-VL-2B + vsGRPO-O, asked O', false, 31.2, [34.6, 22.5, 44.8, 33.7, 29.4, 41.8, 26.8, 15.8]],
  ['vsGRPO-2B', true, 35.4, [53.6, 29.0, 52.7, 43.4, 28.1, 30.9, 26.8, 18.9]],
  ['Qwen2-VL-7B', true, 32.2, [39.4, 25.0, 25.8, 43.2, 32.6, 30.9, 27.8, 32.6]],
  ['Qwen2-VL-7B + SFT', true, 38.1, [44.7, 27.6, 46.1, 50.4, 34.0, 35.7, 33.0, 33.4]],
  ['Qwen2-VL-7B + DPO', false, 32.6, [39.1, 25.2, 26.5, 44.2, 32.6, 30.9, 29.3, 33.3]],
  ['vsGRPO-7B', true, 40.7, [59.9, 29.6, 50.8, 48.3, 35.4, 35.6, 34.0, 31.5]],
  ['InternVL2-2B', false, 27.4, [21.8, 24.9, 22.0, 35.0, 33.8, 44.2, 30.5, 7.1]],
  ['LLaVA-NeXT-Video-7B', false, 35.6, [48.5, 14.0, 47.8, 24.2, 43.5, 42.4, 34.0, 30.6]],
  ['InternVL2-40B', false, 36.0, [34.9, 26.9, 46.5, 31.8, 42.1, 32.2, 34.0, 39.6]],
  ['LLaVA-NeXT-Video-72B', false, 40.9, [48.9, 22.8, 57.4, 35.3, 42.4, 36.7, 35.0, 48.6]],
  ['GPT-4o', false, 34.0, [46.2, 5.3, 43.8, 38.2, 37.0, 41.3, 31.5, 28.5]],
  ['Gemini-1.5 Pro (full set)', false, 45.4, [56.2, 30.9, 64.1, 43.6, 51.3, 46.3, 36.0, 34.6]],
]

/** Gemini's row is the benchmark's own: the paper's 48.8 is that of a subset of 400 questions. */
export const published: readonly PublishedRow[] = lines.map(([name, main, average, numbers]) => ({
  name,
  main,
  average,
  tasks: Object.fromEntries(taskNames.map((task, i) => [task, numbers[i] ?? null])) as PublishedRow['tasks'],
}))
