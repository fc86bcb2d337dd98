import { loadModel, progress, runFolder, SFTTrainer } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'

const model = await loadModel('examples/demo/base')
const rooms = jsonl('rooms/questions.jsonl') // made by: npx vsgrpo rooms --output rooms --recipe demo --count 200
const trainer = new SFTTrainer({
  model,
  trainDataset: rooms, // rows { messages: […], completion: '3' }; the videos are lists of frames
  args: {
    perDeviceTrainBatchSize: 16,
    gradientAccumulationSteps: 2, // the same steps as a batch of 32: tokens are averaged over both
    learningRate: 1e-4,
    maxSteps: 20,
  },
  reporters: [runFolder('runs/sft'), progress()],
})
for await (const event of trainer) {
  if (event.type === 'step' && event.step % 10 === 0) console.log(event.metrics.loss, event.metrics.mean_token_accuracy)
}
await trainer.saveModel('runs/sft/model')
model.dispose()
