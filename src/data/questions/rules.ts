/** What the builders ask about and what they leave out, because a careful viewer could not decide it. */
import type { Random } from '../../random.js'
import type { Measure } from '../scenes/measure.js'
import type { SceneRecord } from '../scenes/record.js'
import type { Question } from './question.js'
import type { Wording } from './wording.js'

export interface QuestionRules {
  readonly wording: Wording
  readonly measure: Measure
  /** The category that distances and directions start from; absent: any unique one. */
  readonly anchor?: string
  /** Categories that only ever serve as the anchor. */
  readonly onlyAnchor: readonly string[]
  readonly counting: {
    /** Absent: every category of the record. */
    readonly categories?: readonly string[]
    /** The fewest objects that are asked about. */
    readonly least: number
    /** The possible answers, when they are to be right equally often. */
    readonly answers: readonly string[] | null
  }
  readonly distance: {
    /** Nearer pairs count as touching and are not asked about. Metres. */
    readonly least: number
  }
  readonly closest: ClosestRules
  readonly direction: DirectionRules
  readonly order: {
    /** Categories that a question lists. */
    readonly listed: number
    /** Seconds between any two first appearances. */
    readonly gap: number
  }
}

export interface ClosestRules {
  /** Objects listed. */
  readonly options: number
  /** Whether a listed category may have several objects; its closest counts then. */
  readonly several: boolean
  /** The closest is at least this far from the target. Metres. */
  readonly least: number
  /** Metres by which distances must differ: the closest from the second, or any two of them. */
  readonly gap: number
  readonly between: 'closest two' | 'any two'
  /** The sets of `size` names to try for one target. */
  readonly sets: (names: readonly string[], size: number, random: Random) => string[][]
}

export interface DirectionRules {
  /** Objects closer or farther apart than this give no clear direction. Metres. */
  readonly least: number
  readonly most: number
  /** Degrees between a direction and the nearest boundary of its sector. */
  readonly angleMargin: number
  /** How many of the eight corners of the object asked about may lie in other sectors than its centre. */
  readonly strayCorners: number
}

/** All questions of one kind that a scene allows, in random order, made as they are taken. */
export type QuestionBuilder = (scene: SceneRecord, rules: QuestionRules, random: Random) => Iterable<Question>
