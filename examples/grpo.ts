import { GRPOTrainer, loadModel, progress, runFolder } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { accuracyReward } from 'vsgrpo/rewards'

const model = await loadModel('examples/demo/base') // any Qwen2-VL in a Hugging Face folder
const trainer = new GRPOTrainer({
  model,
  trainDataset: jsonl('rooms/questions.jsonl'), // rows { messages: […], answer: '3' }
  rewardFuncs: [accuracyReward(), ({ text }) => (text.length < 10 ? 0.1 : 0)],
  args: {
    numGenerations: 8,
    perDeviceTrainBatchSize: 64,
    maxCompletionLength: 8,
    beta: 0.01,
    learningRate: 1e-4,
    maxSteps: 20,
  },
  reporters: [runFolder('runs/first'), progress()],
})
await trainer.train() // or: for await (const event of trainer) …
await trainer.saveModel('runs/first/model')
model.dispose()
