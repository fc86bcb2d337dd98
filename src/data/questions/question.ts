/** What every kind of question has in common. */

/** The kinds that can be made from a scene record. */
export const questionKinds = [
  'object_counting',
  'object_rel_distance',
  'object_rel_direction_easy',
  'object_rel_direction_medium',
  'object_rel_direction_hard',
  'object_size_estimation',
  'object_abs_distance',
  'room_size_estimation',
  'obj_appearance_order',
] as const

/** VSI-Bench's question_type, without route planning: its questions were written by people and can only be read. */
export type QuestionKind = (typeof questionKinds)[number]

export interface Question {
  readonly kind: QuestionKind
  /** What the question is about: its first-named object. */
  readonly category: string
  readonly question: string
  /** The choices without letters; null for open questions. */
  readonly options: readonly string[] | null
  /** A number or one or two words. */
  readonly answer: string
  /** Possible answers, each to be right equally often in its `family` of questions; null: not balanced. */
  readonly balance: { readonly family: string; readonly answers: readonly string[] } | null
}
