/**
 * Standing by one object and facing a second, where is the third? On the floor plan, from centre to centre.
 * The angle runs counter-clockwise from the facing direction; sectors are VSI-Bench's.
 */
import { corners, turnAngle, turnAngleTo } from '../scenes/oriented-box.js'
import { type BoxRecord, boxesOf, onlyBox, uniqueCategories } from '../scenes/record.js'
import { arrangements } from './choices.js'
import type { DirectionRules, QuestionBuilder, QuestionRules } from './rules.js'
import { ask, type DirectionKind } from './wording.js'

interface Sector {
  readonly name: string
  /** Degrees. */
  readonly from: number
  readonly to: number
}

const threeWay: readonly Sector[] = [
  { name: 'left', from: 0, to: 135 },
  { name: 'back', from: 135, to: 225 },
  { name: 'right', from: 225, to: 360 },
]

const fourWay: readonly Sector[] = [
  { name: 'front-left', from: 0, to: 90 },
  { name: 'back-left', from: 90, to: 180 },
  { name: 'back-right', from: 180, to: 270 },
  { name: 'front-right', from: 270, to: 360 },
]

interface Form {
  readonly sectors: readonly Sector[]
  /** The sectors that can be the answer. */
  readonly choices: readonly string[]
}

const forms: Readonly<Record<DirectionKind, Form>> = {
  object_rel_direction_easy: { sectors: threeWay, choices: ['left', 'right'] },
  object_rel_direction_medium: { sectors: threeWay, choices: ['left', 'back', 'right'] },
  object_rel_direction_hard: { sectors: fourWay, choices: ['front-left', 'back-left', 'back-right', 'front-right'] },
}

export const directionEasy = builder('object_rel_direction_easy')
export const directionMedium = builder('object_rel_direction_medium')
export const directionHard = builder('object_rel_direction_hard')

/** The answer to a question that was asked, however near to a boundary; "easy" splits what lies behind in the middle. */
export function directionOf(kind: DirectionKind, stand: BoxRecord, facing: BoxRecord, query: BoxRecord): string {
  const angle = turnAngle(stand, facing, query)
  if (kind === 'object_rel_direction_easy') return angle < 180 ? 'left' : 'right'
  return sectorAt(angle, forms[kind].sectors).name
}

function builder(kind: DirectionKind): QuestionBuilder {
  const { choices } = forms[kind]
  return function* (scene, rules, random) {
    const { anchor, onlyAnchor } = rules
    const names = uniqueCategories(scene).filter((name) => name === anchor || !onlyAnchor.includes(name))
    const triples = arrangements(names, 3).filter(([stand]) => anchor === undefined || stand === anchor)
    for (const [stand = '', facing = '', query = ''] of random.shuffle(triples)) {
      const [a, b, c] = [onlyBox(scene, stand), onlyBox(scene, facing), onlyBox(scene, query)]
      if (a === undefined || b === undefined || c === undefined) continue
      const lists = [boxesOf(scene, stand), boxesOf(scene, facing), boxesOf(scene, query)] as const
      if (!withinReach(lists, rules)) continue
      const answer = clearDirection(kind, [a, b, c], rules.direction)
      if (answer === undefined) continue
      const options = random.shuffle(choices)
      const question = ask({ kind, stand, facing, query }, rules.wording)
      const balance = { family: anchor === undefined ? '' : `${facing} ${query}`, answers: options }
      yield { kind, category: stand, question, options, answer, balance }
    }
  }
}

type Boxes = readonly BoxRecord[]

function withinReach([a, b, c]: readonly [Boxes, Boxes, Boxes], { measure, direction }: QuestionRules): boolean {
  const { least, most } = direction
  const fits = (distance: number): boolean => distance >= least && distance <= most
  return fits(measure(a, b)) && fits(measure(a, c)) && fits(measure(b, c))
}

/** The sector of the third object, or undefined when it is too near to a boundary or reaches into other sectors. */
function clearDirection(
  kind: DirectionKind,
  [stand, facing, query]: readonly [BoxRecord, BoxRecord, BoxRecord],
  { angleMargin, strayCorners }: DirectionRules,
): string | undefined {
  const { sectors, choices } = forms[kind]
  const angle = turnAngle(stand, facing, query)
  const { name, from, to } = sectorAt(angle, sectors)
  if (!choices.includes(name) || angle < from + angleMargin || angle > to - angleMargin) return undefined
  if (strayCorners >= 8) return name
  const elsewhere = corners(query).filter((point) => sectorAt(turnAngleTo(stand, facing, point), sectors).name !== name)
  return elsewhere.length > strayCorners ? undefined : name
}

/** Angles are in [0, 360), which the sectors cover. */
function sectorAt(angle: number, sectors: readonly Sector[]): Sector {
  const found = sectors.find(({ to }) => angle < to)
  if (found === undefined) throw new RangeError(`expected an angle below 360, got ${angle}`)
  return found
}
