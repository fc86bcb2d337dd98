/** "How many chair(s) are in this room?" */
import type { QuestionBuilder } from './question.js'

export const counting: QuestionBuilder = (scene, rules, random) =>
  random.shuffle(rules.counted).flatMap((category) => {
    const count = scene.object_counts[category]
    if (count === undefined) return []
    return {
      kind: 'object_counting',
      category,
      question: `How many ${category}(s) are in this room?`,
      options: null,
      answer: String(count),
      balance: {
        family: category,
        answers: Array.from({ length: rules.copies[1] - rules.copies[0] + 1 }, (_, i) => String(rules.copies[0] + i)),
      },
    }
  })
