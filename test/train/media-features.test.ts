/** What a frozen vision tower has computed once is used again: GRPO with adapters, on the demo's checkpoint and rooms. */
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { jsonl } from '../../src/data/index.js'
import { native } from '../../src/native.js'
import { loadModel } from '../../src/policy.js'
import { accuracyReward } from '../../src/rewards/index.js'
import { GRPOTrainer } from '../../src/train/index.js'
import { base, makeRooms, scratch, sha256 } from './cli.js'

const folder = scratch()
beforeAll(async () => {
  await makeRooms(folder.dir, 6)
})

/** Three steps over six rooms, some of which come again: the adapter's checksum, and the bytes of features after the run. */
async function train(keptMediaTokens?: number) {
  const kept = keptMediaTokens === undefined ? {} : { keptMediaTokens }
  await using model = await loadModel(base, { dtype: 'float32', lora: { r: 4 }, ...kept })
  const trainer = new GRPOTrainer({
    model,
    trainDataset: jsonl(join(folder.dir, 'rooms', 'questions.jsonl')),
    rewardFuncs: [accuracyReward(), ({ text }) => text.length / 10],
    args: {
      numGenerations: 4,
      perDeviceTrainBatchSize: 32,
      maxCompletionLength: 4,
      learningRate: 1e-3,
      beta: 0.04,
      maxSteps: 3,
    },
  })
  await trainer.train()
  const { features } = await native().memory()
  const saved = join(folder.dir, `adapter-${keptMediaTokens}`)
  await model.save(saved, 'adapter')
  return { adapter: sha256(join(saved, 'adapter_model.safetensors')), features }
}

it('to the same weights, bit for bit, whether all, some or no features are kept', async () => {
  const all = await train()
  const some = await train(40)
  const none = await train(0)
  console.log(`bytes of kept features: ${[all, some, none].map(({ features }) => features).join(', ')}`)
  expect(all.features).toBeGreaterThan(some.features)
  expect(some.features).toBeGreaterThan(0)
  expect(none.features).toBe(0)
  expect(some.adapter).toBe(all.adapter)
  expect(none.adapter).toBe(all.adapter)
})
