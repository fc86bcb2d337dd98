/**
 * Standing by one object and facing a second, where is the third? On the floor plan, from centre to centre.
 * The angle runs counter-clockwise from the facing direction; sectors are VSI-Bench's.
 */
import { boxDistance, turnAngle } from '../geometry.js'
import { onlyBox, uniqueCategories } from '../record.js'
import { arrangements, type Question, type QuestionBuilder, type QuestionKind } from './question.js'

interface Sector {
  readonly name: string
  /** Degrees. */
  readonly from: number
  readonly to: number
}

interface Form {
  readonly kind: QuestionKind
  readonly sectors: readonly Sector[]
  readonly ask: (stand: string, facing: string, query: string) => string
}

/** Objects closer or farther apart than this give no clear direction. Metres. */
const reach = { least: 0.3, most: 5 }

const threeWay: readonly Sector[] = [
  { name: 'left', from: 0, to: 135 },
  { name: 'back', from: 135, to: 225 },
  { name: 'right', from: 225, to: 360 },
]

export const directionEasy = builder({
  kind: 'object_rel_direction_easy',
  sectors: threeWay.filter(({ name }) => name !== 'back'),
  ask: (stand, facing, query) =>
    `If I am standing by the ${stand} and facing the ${facing}, is the ${query} to the left or the right of the ${facing}?`,
})

export const directionMedium = builder({
  kind: 'object_rel_direction_medium',
  sectors: threeWay,
  ask: (stand, facing, query) =>
    `If I am standing by the ${stand} and facing the ${facing}, is the ${query} to my left, right, or back?\n` +
    'An object is to my back if I would have to turn at least 135 degrees in order to face it.',
})

export const directionHard = builder({
  kind: 'object_rel_direction_hard',
  sectors: [
    { name: 'front-left', from: 0, to: 90 },
    { name: 'back-left', from: 90, to: 180 },
    { name: 'back-right', from: 180, to: 270 },
    { name: 'front-right', from: 270, to: 360 },
  ],
  ask: (stand, facing, query) =>
    `If I am standing by the ${stand} and facing the ${facing}, is the ${query} to my front-left, front-right, back-left, or back-right?\n` +
    'The directions refer to the quadrants of a Cartesian plane ' +
    '(if I am standing at the origin and facing along the positive y-axis).',
})

function builder(form: Form): QuestionBuilder {
  return (scene, rules, random) => {
    const names = uniqueCategories(scene).filter((category) => category === rules.anchor || category !== 'door')
    const triples = arrangements(names, 3).filter(([stand]) => rules.anchor === undefined || stand === rules.anchor)
    return random.shuffle(triples).flatMap(([stand = '', facing = '', query = '']): Question[] => {
      const boxes = [onlyBox(scene, stand), onlyBox(scene, facing), onlyBox(scene, query)] as const
      const [a, b, c] = boxes
      if (a === undefined || b === undefined || c === undefined) return []
      const distances = [boxDistance(a, b), boxDistance(a, c), boxDistance(b, c)]
      if (distances.some((distance) => distance < reach.least || distance > reach.most)) return []
      const answer = sectorOf(turnAngle(a, b, c), form.sectors, rules.angleMargin)
      if (answer === undefined) return []
      const options = random.shuffle(form.sectors.map(({ name }) => name))
      const question = form.ask(stand, facing, query)
      const balance = { family: rules.anchor === undefined ? '' : `${facing} ${query}`, answers: options }
      return [{ kind: form.kind, category: stand, question, options, answer, balance }]
    })
  }
}

function sectorOf(angle: number, sectors: readonly Sector[], margin: number): string | undefined {
  return sectors.find(({ from, to }) => angle >= from + margin && angle <= to - margin)?.name
}
