/** Which object is the closest, and how far two objects are apart. What distance means is the rules' `measure`. */
import type { Random } from '../../random.js'
import { boxesOf, type SceneRecord, uniqueCategories } from '../scenes/record.js'
import { combinations } from './choices.js'
import type { Question } from './question.js'
import type { QuestionBuilder, QuestionRules } from './rules.js'
import { ask } from './wording.js'

/** "… which of these objects (a, b, c, d) is the closest to the e?" */
export const relativeDistance: QuestionBuilder = function* (scene, rules, random) {
  const unique = uniqueCategories(scene)
  const targets = rules.anchor === undefined ? unique : unique.filter((category) => category === rules.anchor)
  const known = rules.closest.several ? Object.keys(scene.object_bbox) : unique
  for (const target of random.shuffle(targets)) {
    const others = random.shuffle(known.filter((name) => name !== target && !rules.onlyAnchor.includes(name)))
    for (const listed of rules.closest.sets(others, rules.closest.options, random)) {
      yield* closest(scene, rules, target, random.shuffle(listed))
    }
  }
}

function closest(scene: SceneRecord, rules: QuestionRules, target: string, listed: readonly string[]): Question[] {
  const ranked = rankByDistance(scene, rules, target, listed)
  const [first] = ranked
  if (first === undefined || first.distance < rules.closest.least || tooSimilar(ranked, rules)) return []
  const kind = 'object_rel_distance'
  const family = rules.anchor === undefined ? '' : [...listed].sort().join(' ')
  const question = ask({ kind, target, listed }, rules.wording)
  return [
    { kind, category: target, question, options: listed, answer: first.name, balance: { family, answers: listed } },
  ]
}

interface Ranked {
  readonly name: string
  readonly distance: number
}

function rankByDistance(
  scene: SceneRecord,
  { measure }: QuestionRules,
  target: string,
  listed: readonly string[],
): Ranked[] {
  return listed
    .map((name) => ({ name, distance: measure(boxesOf(scene, target), boxesOf(scene, name)) }))
    .sort((a, b) => a.distance - b.distance)
}

function tooSimilar(ranked: readonly Ranked[], { closest: { between, gap } }: QuestionRules): boolean {
  const compared = between === 'any two' ? ranked : ranked.slice(0, 2)
  if (compared.length < 2) return true
  return compared.slice(1).some(({ distance }, i) => distance - (compared[i]?.distance ?? 0) < gap)
}

/** "… what is the distance between the a and the b (in meters)?" */
export const absoluteDistance: QuestionBuilder = function* (scene, rules, random) {
  for (const pair of random.shuffle(combinations(uniqueCategories(scene), 2))) {
    const [first, second] = inAnyOrder(pair, random)
    const distance = rules.measure(boxesOf(scene, first), boxesOf(scene, second))
    if (distance < rules.distance.least) continue
    yield {
      kind: 'object_abs_distance',
      category: first,
      question: ask({ kind: 'object_abs_distance', first, second }, rules.wording),
      options: null,
      answer: distance.toFixed(1),
      balance: null,
    }
  }
}

function inAnyOrder(pair: readonly string[], random: Random): [string, string] {
  const [first = '', second = ''] = random.shuffle(pair)
  return [first, second]
}
