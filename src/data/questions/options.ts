/** What a build of questions can be told, the benchmark's and the paper's ways of telling it, and the rules that follow. */
import { InputError } from '../../errors.js'
import { oneOf } from '../../option-checks.js'
import { type Definition, definitions, measureOf } from '../scenes/measure.js'
import type { SceneRecord } from '../scenes/record.js'
import { someCombinations } from './choices.js'
import { type QuestionKind, questionKinds } from './question.js'
import type { QuestionRules } from './rules.js'
import { type Wording, wordings } from './wording.js'

/** How a choice is answered: `A`, the word itself without listed options, or `1`. */
export const answerStyles = ['letter', 'word', 'number'] as const

export type AnswerStyle = (typeof answerStyles)[number]

/** What is left out as undecidable. Metres, degrees, seconds; defaults are the benchmark's. */
export interface Filters {
  /** Fewest objects that counting asks about; default 2. */
  readonly countAtLeast: number
  /** Nearer pairs have no distance asked; default 0.2. */
  readonly distanceAtLeast: number
  /** The closest of the listed objects is this far at least; default 0.15. */
  readonly closestAtLeast: number
  /** Any two listed objects differ by this much in their distance to the target; default 0.15. */
  readonly closestGap: number
  /** The same in rooms above `largeRoom` square metres; default 0.3. */
  readonly closestGapLarge: number
  /** Default 40. */
  readonly largeRoom: number
  /** Any two of the three objects of a direction are this far apart; default 0.3 to 5. */
  readonly directionAtLeast: number
  readonly directionAtMost: number
  /** From a direction to the nearest boundary of its sector; default 10. */
  readonly angleMargin: number
  /** Corners of the object asked about that may lie in other sectors than its centre; default 2. */
  readonly strayCorners: number
  /** Between any two first appearances; default 1. */
  readonly appearanceGap: number
}

export interface BuildOptions {
  /** Where the other defaults come from; default 'benchmark'. */
  readonly preset?: PresetName
  /** Default: all kinds, or the six of the paper. */
  readonly tasks?: readonly QuestionKind[]
  /** What distance means. */
  readonly definition?: Definition
  readonly wording?: Wording
  readonly style?: AnswerStyle
  /** Most questions of a kind about one scene; default 6, in the paper's preset all. */
  readonly perScene?: number
  /** Most questions of each kind in total, drawn evenly; default: all, in the paper's preset its numbers. */
  readonly limits?: Partial<Readonly<Record<QuestionKind, number>>>
  /** Prefers questions whose answer was right less often than its share, where a kind has few answers; default true. */
  readonly balance?: boolean
  /** Default 0. */
  readonly seed?: number
  readonly filters?: Partial<Filters>
  /** Allows scenes that VSI-Bench and ScanNet's benchmark test on; default false. */
  readonly allowTestScenes?: boolean
}

export interface BuildPlan {
  readonly tasks: readonly QuestionKind[]
  readonly definition: Definition
  readonly wording: Wording
  readonly style: AnswerStyle
  readonly perScene: number
  readonly limits: Partial<Readonly<Record<QuestionKind, number>>>
  readonly balance: boolean
  readonly seed: number
  readonly filters: Filters
  readonly allowTestScenes: boolean
}

const filters: Filters = {
  countAtLeast: 2,
  distanceAtLeast: 0.2,
  closestAtLeast: 0.15,
  closestGap: 0.15,
  closestGapLarge: 0.3,
  largeRoom: 40,
  directionAtLeast: 0.3,
  directionAtMost: 5,
  angleMargin: 10,
  strayCorners: 2,
  appearanceGap: 1,
}

const benchmark: BuildPlan = {
  tasks: questionKinds,
  definition: 'benchmark',
  wording: 'benchmark',
  style: 'letter',
  perScene: 6,
  limits: {},
  balance: true,
  seed: 0,
  filters,
  allowTestScenes: false,
}

/** VSI-100k, section 3.1 of the paper: its tasks, numbers, labels, wording and answers. The paper names no filters. */
const paper: BuildPlan = {
  ...benchmark,
  tasks: [
    'object_counting',
    'object_abs_distance',
    'object_rel_distance',
    'object_rel_direction_easy',
    'object_size_estimation',
    'room_size_estimation',
  ],
  definition: 'paper',
  wording: 'paper',
  style: 'word',
  perScene: Number.POSITIVE_INFINITY,
  limits: {
    object_counting: 6400,
    object_abs_distance: 75_000,
    object_rel_distance: 13_000,
    object_rel_direction_easy: 8000,
    object_size_estimation: 13_000,
    room_size_estimation: 1500,
  },
  filters: { ...filters, countAtLeast: 1 },
}

export const presets = { benchmark, paper } as const

export type PresetName = keyof typeof presets

/** Fills in the preset. Throws an InputError that names the option. */
export function planOf(options: BuildOptions): BuildPlan {
  const { preset = 'benchmark', filters: given = {}, ...rest } = options
  const base = presets[oneOf('preset', preset, ['benchmark', 'paper'])]
  const set = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const plan: BuildPlan = { ...base, ...set, filters: { ...base.filters, ...given } }
  if (plan.tasks.length === 0) throw new InputError('tasks: name at least one kind of question')
  for (const task of plan.tasks) oneOf('tasks', task, questionKinds)
  oneOf('definition', plan.definition, definitions)
  oneOf('wording', plan.wording, wordings)
  oneOf('style', plan.style, answerStyles)
  requireAtLeast('perScene', plan.perScene, 1)
  requireAtLeast('seed', plan.seed, 0)
  for (const [kind, limit] of Object.entries(plan.limits)) requireAtLeast(`limits.${kind}`, limit, 0)
  for (const [name, value] of Object.entries(plan.filters)) requireAtLeast(`filters.${name}`, value, 0)
  return plan
}

/** Sets of objects that are tried per target when a scene's questions are not capped. */
const setsPerTarget = 12

/** The builders' rules for one scene; the measure remembers what it measures, so take new ones for the next scene. */
export function rulesFor(plan: BuildPlan, scene: SceneRecord): QuestionRules {
  const { filters } = plan
  const sets = Number.isFinite(plan.perScene) ? plan.perScene : setsPerTarget
  return {
    wording: plan.wording,
    measure: measureOf(plan.definition),
    onlyAnchor: [],
    counting: { least: filters.countAtLeast, answers: null },
    distance: { least: filters.distanceAtLeast },
    closest: {
      options: 4,
      several: true,
      least: filters.closestAtLeast,
      gap: scene.room_size > filters.largeRoom ? filters.closestGapLarge : filters.closestGap,
      between: 'any two',
      sets: (names, size, random) => someCombinations(names, size, sets, random),
    },
    direction: {
      least: filters.directionAtLeast,
      most: filters.directionAtMost,
      angleMargin: filters.angleMargin,
      strayCorners: filters.strayCorners,
    },
    order: { listed: 4, gap: filters.appearanceGap },
  }
}

function requireAtLeast(name: string, value: number, least: number): void {
  if (value >= least) return
  throw new InputError(`${name}: expected a number of at least ${least}, got ${value}`)
}
