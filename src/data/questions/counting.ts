/** "How many chair(s) are in this room?" */
import type { QuestionBuilder } from './rules.js'
import { ask } from './wording.js'

export const counting: QuestionBuilder = function* (scene, rules, random) {
  const { categories = Object.keys(scene.object_counts), least, answers } = rules.counting
  for (const category of random.shuffle(categories)) {
    const count = scene.object_counts[category]
    if (count === undefined || count < least) continue
    yield {
      kind: 'object_counting',
      category,
      question: ask({ kind: 'object_counting', category }, rules.wording),
      options: null,
      answer: String(count),
      balance: answers === null ? null : { family: category, answers },
    }
  }
}
