import { loadModel } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { accuracyReward } from 'vsgrpo/rewards'

// Rooms of the split `test` are none that a run has trained on: npx vsgrpo rooms --output test-rooms --split test --count 100
const rooms = jsonl('test-rooms/questions.jsonl')
const questions = Array.from({ length: rooms.length }, (_, row) => rooms.get(row))
const model = await loadModel('examples/demo/base') // or what a run has saved
const accuracy = accuracyReward()

const byKind = new Map<string, number[]>()
const together = 64 // questions at a time: those about one room share its frames
for (let first = 0; first < questions.length; first += together) {
  const part = questions.slice(first, first + together)
  const prompts = await Promise.all(part.map(({ messages }) => model.processor.prompt(messages)))
  const answers = await model.generate(prompts, { temperature: 0, maxNewTokens: 8 }) // 0: the likeliest token, always
  for (const [i, [completion]] of answers.entries()) {
    const example = part[i]
    if (!completion || !example) continue
    const kind = String(example.question_type)
    byKind.set(kind, [...(byKind.get(kind) ?? []), (await accuracy({ ...completion, example })) ?? 0])
  }
}

for (const [kind, scores] of [...byKind, ['all', [...byKind.values()].flat()] as const]) {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  const error = Math.sqrt((mean * (1 - mean)) / scores.length) // one standard error of a share
  console.log(`${kind}: ${(100 * mean).toFixed(1)} ± ${(100 * error).toFixed(1)} % of ${scores.length}`)
}
model.dispose()
