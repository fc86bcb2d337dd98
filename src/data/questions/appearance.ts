/** "What will be the first-time appearance order of the following categories in the video: a, b, c, d?" */
import type { Random } from '../../random.js'
import type { SceneRecord } from '../scenes/record.js'
import { someCombinations } from './choices.js'
import type { QuestionBuilder } from './rules.js'
import { ask } from './wording.js'

/** Sets of categories that are tried per scene. */
const sets = 200

/** Needs a record that says when each category is first seen; others give no question. */
export const appearanceOrder: QuestionBuilder = function* (scene, rules, random) {
  const { listed: size, gap } = rules.order
  const names = Object.keys(scene.first_seen ?? {}).filter((name) => !rules.onlyAnchor.includes(name))
  for (const chosen of someCombinations(random.shuffle(names), size, sets, random)) {
    const listed = random.shuffle(chosen)
    const order = appearance(scene, listed)
    if (order === undefined || !wellApart(scene, order, gap)) continue
    yield {
      kind: 'obj_appearance_order',
      category: listed[0] ?? '',
      question: ask({ kind: 'obj_appearance_order', listed }, rules.wording),
      options: random.shuffle([order.join(', '), ...otherOrders(order, random)]),
      answer: order.join(', '),
      balance: null,
    }
  }
}

/** The names in the order of their first appearance; undefined when the record does not say it for all, or two are equal. */
export function appearance(scene: SceneRecord, names: readonly string[]): string[] | undefined {
  const times = new Map(names.map((name) => [name, timeOf(scene, name)]))
  if ([...times.values()].includes(undefined) || new Set(times.values()).size < names.length) return undefined
  return [...names].sort((a, b) => (times.get(a) ?? 0) - (times.get(b) ?? 0))
}

function wellApart(scene: SceneRecord, order: readonly string[], gap: number): boolean {
  const times = order.map((name) => timeOf(scene, name) ?? 0)
  return times.slice(1).every((time, i) => time - (times[i] ?? 0) >= gap)
}

function timeOf({ first_seen: seen = {} }: SceneRecord, name: string): number | undefined {
  return Object.hasOwn(seen, name) ? seen[name] : undefined
}

/** Three wrong orders, all different. */
function otherOrders(order: readonly string[], random: Random): string[] {
  const right = order.join(', ')
  const wrong = new Set<string>()
  while (wrong.size < 3) {
    const text = random.shuffle(order).join(', ')
    if (text !== right) wrong.add(text)
  }
  return [...wrong]
}
