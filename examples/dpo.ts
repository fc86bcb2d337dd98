import { DPOTrainer, loadModel, progress, runFolder } from 'vsgrpo'
import { fromArray, jsonl, preferencePairs } from 'vsgrpo/data'

// Rows { messages: […], chosen: '3', rejected: '4' }. Here the wrong answers are made: other numbers, other objects of the
// room, the opposite direction. With rows of your own, jsonl('pairs.jsonl') is all it takes.
const pairs = preferencePairs(jsonl('rooms/questions.jsonl'), { hardness: 'hard' }) // npx vsgrpo rooms --output rooms --count 200
const part = (from: number, to: number) =>
  fromArray(Array.from({ length: to - from }, (_, row) => pairs.get(from + row)))

const model = await loadModel('examples/demo/base', { lora: { r: 16 } }) // the reference is the model without its adapter
const trainer = new DPOTrainer({
  model,
  trainDataset: part(60, pairs.length),
  evalDataset: part(0, 60),
  args: {
    beta: 0.1,
    lossType: ['sigmoid', 'sft'],
    lossWeights: [1, 0.2],
    perDeviceTrainBatchSize: 16,
    learningRate: 1e-3,
    maxSteps: 40,
  },
  reporters: [runFolder('runs/dpo'), progress()],
})
const before = await trainer.evaluate()
await trainer.train()
const after = await trainer.evaluate()
for (const name of ['eval_loss', 'eval_rewards/accuracies', 'eval_rewards/margins']) {
  console.log(`${name}: ${before[name]?.toFixed(3)} -> ${after[name]?.toFixed(3)}`)
}
await trainer.saveModel('runs/dpo/model')
model.dispose()
