/**
 * What every kind of question has in common. Wording follows VSI-Bench to the letter; answers are computed from the
 * boxes, and builders leave out what a careful viewer could not decide (the margins in `QuestionRules`).
 */
import type { Random, Range } from '../random.js'
import type { SceneRecord } from '../record.js'

export const questionKinds = [
  'object_counting',
  'object_rel_distance',
  'object_rel_direction_easy',
  'object_rel_direction_medium',
  'object_rel_direction_hard',
  'object_size_estimation',
  'object_abs_distance',
  'room_size_estimation',
] as const

/** VSI-Bench's question_type. */
export type QuestionKind = (typeof questionKinds)[number]

export interface QuestionRules {
  /** Categories that counting asks about. */
  readonly counted: readonly string[]
  /** The least and the most objects of these that can be drawn. */
  readonly copies: Range
  /** The category that distances and directions start from; absent: any unique one. */
  readonly anchor?: string
  /** Objects listed in a relative-distance question. */
  readonly options: number
  /** Metres by which the closest must be closer than the runner-up. */
  readonly distanceMargin: number
  /** Degrees between a direction and the nearest boundary of its sector. */
  readonly angleMargin: number
}

export interface Question {
  readonly kind: QuestionKind
  /** What the question is about: its first-named object. */
  readonly category: string
  readonly question: string
  /** The listed choices without letters, in the question's order. */
  readonly options: readonly string[] | null
  /** A number or one or two words. */
  readonly answer: string
  /** Possible answers, each to be right equally often in its `family` of questions; null: not balanced. */
  readonly balance: { readonly family: string; readonly answers: readonly string[] } | null
}

/** All questions of one kind that a scene allows, in random order; few kinds list every combination. */
export type QuestionBuilder = (scene: SceneRecord, rules: QuestionRules, random: Random) => Question[]

/** Ordered choices of `size` different items. */
export function arrangements<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    arrangements([...items.slice(0, i), ...items.slice(i + 1)], size - 1).map((rest) => [item, ...rest]),
  )
}

/** Unordered choices of `size` different items, in the items' order. */
export function combinations<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) => combinations(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]))
}
