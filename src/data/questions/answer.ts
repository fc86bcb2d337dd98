/** Answers to questions that somebody else asked, from the scene records: the number, or the option's letter. */
import type { Measure } from '../scenes/measure.js'
import { type BoxRecord, boxesOf, type SceneRecord } from '../scenes/record.js'
import { appearance } from './appearance.js'
import { directionOf } from './direction.js'
import { letterOf } from './marks.js'
import { floorArea, longestSide } from './size.js'
import { type Asked, type DirectionKind, understand } from './wording.js'

export interface GivenQuestion {
  readonly question: string
  /** 'A. chair', …; null for open questions. */
  readonly options: readonly string[] | null
}

/**
 * The answer as the benchmark writes it: metres and square metres with one decimal, whole centimetres, a letter where options
 * are given, else the word. null where the record cannot tell: an unknown category, an order that nobody looked at, a route.
 */
export function answerQuestion(given: GivenQuestion, scene: SceneRecord, measure: Measure): string | null {
  const asked = understand(given.question)
  if (asked === undefined) return null
  const answer = answerOf(asked, scene, measure, given.options)
  if (answer === undefined) return null
  return given.options === null || isNumeric(asked) ? answer : markOf(given.options, answer)
}

function answerOf(
  asked: Asked,
  scene: SceneRecord,
  measure: Measure,
  options: readonly string[] | null,
): string | undefined {
  switch (asked.kind) {
    case 'object_counting':
      return countOf(scene, asked.category)
    case 'object_size_estimation':
      return withBoxes([find(scene, asked.category)], ([boxes = []]) => longestSide(boxes))
    case 'room_size_estimation':
      return floorArea(scene)
    case 'object_abs_distance':
      return withBoxes([find(scene, asked.first), find(scene, asked.second)], ([a = [], b = []]) =>
        measure(a, b).toFixed(1),
      )
    case 'object_rel_distance':
      return closest(scene, asked.target, options?.map(textOf) ?? asked.listed, measure)
    case 'obj_appearance_order':
      return appearance(scene, asked.listed)?.join(', ')
    default:
      return direction(
        asked.kind,
        [asked.stand, asked.facing, asked.query].map((name) => find(scene, name)),
      )
  }
}

type Boxes = readonly BoxRecord[]

function withBoxes(lists: readonly Boxes[], answer: (lists: readonly Boxes[]) => string): string | undefined {
  return lists.some((boxes) => boxes.length === 0) ? undefined : answer(lists)
}

function closest(scene: SceneRecord, target: string, listed: readonly string[], measure: Measure): string | undefined {
  const from = find(scene, target)
  const ranked = listed
    .map((name) => ({ name, distance: measure(from, find(scene, name)) }))
    .sort((a, b) => a.distance - b.distance)
  return ranked.every(({ distance }) => Number.isFinite(distance)) ? ranked[0]?.name : undefined
}

/** Questions of direction speak of one object of each category: where a record has several, the first that it lists. */
function direction(kind: DirectionKind, lists: readonly Boxes[]): string | undefined {
  const [stand, facing, query] = lists.map(([first]) => first)
  return stand && facing && query && directionOf(kind, stand, facing, query)
}

function countOf(scene: SceneRecord, category: string): string | undefined {
  const name = knownName(scene.object_counts, category)
  return name === undefined ? undefined : String(scene.object_counts[name])
}

function find(scene: SceneRecord, category: string): Boxes {
  const name = knownName(scene.object_bbox, category)
  return name === undefined ? [] : boxesOf(scene, name)
}

/** Names of one thing; a question may use another than the record. VSI-Bench asks about coat racks, its records have hangers. */
const synonyms: readonly (readonly string[])[] = [
  ['coat rack', 'coat hanger'],
  ['trash bin', 'trash can', 'recycling bin'],
  ['computer mouse', 'mouse'],
  ['tv', 'television'],
  ['sofa', 'couch'],
  ['nightstand', 'night stand'],
]

/** The record's name of a category: the same, the same in other case, or a synonym. */
function knownName(record: Readonly<Record<string, unknown>>, category: string): string | undefined {
  if (Object.hasOwn(record, category)) return category
  const wanted = category.toLowerCase()
  const others = synonyms.find((names) => names.includes(wanted)) ?? []
  const names = Object.keys(record)
  return [wanted, ...others].flatMap((name) => names.filter((known) => known.toLowerCase() === name))[0]
}

function isNumeric({ kind }: Asked): boolean {
  return (
    kind === 'object_counting' ||
    kind === 'object_size_estimation' ||
    kind === 'object_abs_distance' ||
    kind === 'room_size_estimation'
  )
}

/** An option without its letter or number, whatever marks them off: these are other people's questions. */
function textOf(option: string): string {
  return option.replace(/^\s*\(?(?:[A-Za-z]|\d+)[.):]\s*/, '').trim()
}

function markOf(options: readonly string[], answer: string): string | null {
  const plain = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ')
  const index = options.findIndex((option) => plain(textOf(option)) === plain(answer))
  const option = options[index]
  if (option === undefined) return null
  return /^\s*\(?([A-Za-z]|\d+)[.):]/.exec(option)?.[1] ?? letterOf(index)
}
