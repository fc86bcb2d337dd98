/** Which object is the closest, and how far two objects are apart; both between the closest points of the boxes. */
import { boxDistance } from '../geometry.js'
import { onlyBox, type SceneRecord, uniqueCategories } from '../record.js'
import { combinations, type Question, type QuestionBuilder, type QuestionRules } from './question.js'

/** Nearer than this counts as touching: such pairs are not asked about. Metres. */
const leastDistance = 0.15

/** "Measuring from the closest point of each object, which of these objects (a, b, c) is the closest to the d?" */
export const relativeDistance: QuestionBuilder = (scene, rules, random) => {
  const unique = uniqueCategories(scene)
  const primaries = rules.anchor === undefined ? unique : unique.filter((category) => category === rules.anchor)
  return random.shuffle(primaries).flatMap((primary) => {
    const others = random.shuffle(unique.filter((category) => category !== primary && category !== 'door'))
    return combinations(others, rules.options).flatMap((listed) =>
      closest(scene, rules, primary, random.shuffle(listed)),
    )
  })
}

function closest(scene: SceneRecord, rules: QuestionRules, primary: string, listed: readonly string[]): Question[] {
  const ranked = listed
    .map((category) => ({ category, distance: distanceBetween(scene, primary, category) ?? 0 }))
    .sort((a, b) => a.distance - b.distance)
  const [first, second] = ranked
  if (first === undefined || second === undefined || first.distance < leastDistance) return []
  if (second.distance - first.distance < rules.distanceMargin) return []
  const question =
    'Measuring from the closest point of each object, which of these objects ' +
    `(${listed.join(', ')}) is the closest to the ${primary}?`
  const family = rules.anchor === undefined ? '' : [...listed].sort().join(' ')
  const balance = { family, answers: listed }
  return [
    { kind: 'object_rel_distance', category: primary, question, options: listed, answer: first.category, balance },
  ]
}

/** "Measuring from the closest point of each object, what is the distance between the a and the b (in meters)?" */
export const absoluteDistance: QuestionBuilder = (scene, _rules, random) =>
  random.shuffle(combinations(uniqueCategories(scene), 2)).flatMap((pair) => {
    const [a = '', b = ''] = random.shuffle(pair)
    const distance = distanceBetween(scene, a, b)
    if (distance === undefined || distance < leastDistance) return []
    return {
      kind: 'object_abs_distance',
      category: a,
      question: `Measuring from the closest point of each object, what is the distance between the ${a} and the ${b} (in meters)?`,
      options: null,
      answer: distance.toFixed(1),
      balance: null,
    }
  })

function distanceBetween(scene: SceneRecord, a: string, b: string): number | undefined {
  const [first, second] = [onlyBox(scene, a), onlyBox(scene, b)]
  return first === undefined || second === undefined ? undefined : boxDistance(first, second)
}
