import { GRPOTrainer, loadModel, progress, runFolder } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { batched, named } from 'vsgrpo/rewards'

/** A near miss at a count earns something; null: does not apply to questions that are answered in words. */
const close = named('close', ({ text, example }) => {
  if (example.question_type !== 'object_counting') return null
  const miss = Math.abs(Number(text) - Number(example.answer))
  return /^\d+$/.test(text) ? 1 / (1 + miss) : 0
})

/** Sees the whole batch at once, and may await: what share of its group gives the same answer (no right answer needed). */
const agreed = batched('agreed', async (inputs) =>
  inputs.map(({ text, prompt }) => {
    const group = inputs.filter((other) => other.prompt === prompt)
    return group.filter((other) => other.text === text).length / group.length
  }),
)

const model = await loadModel('examples/demo/base')
const trainer = new GRPOTrainer({
  model,
  trainDataset: jsonl('rooms/questions.jsonl'), // made by: npx vsgrpo rooms --output rooms --recipe demo --count 200
  rewardFuncs: [close, agreed],
  rewardWeights: [1, 0.2],
  args: { numGenerations: 8, perDeviceTrainBatchSize: 64, maxCompletionLength: 8, learningRate: 1e-4, maxSteps: 20 },
  reporters: [runFolder('runs/custom-reward'), progress()],
})
await trainer.train()
await trainer.saveModel('runs/custom-reward/model')
model.dispose()
