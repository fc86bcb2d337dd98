/**
 * Makes the demo's base checkpoint: a small Qwen2-VL with random weights, warm-started by supervised training on rooms of
 * another distribution than the demo's, so that it answers in the right form and is right sometimes.
 *
 *   node examples/demo/run.mjs make-base
 *
 * writes runs/demo-base/model; examples/demo/base is a copy of it, examples/demo/base-training.log what the run said.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadModel, progress, runFolder, type SFTConfig, SFTTrainer } from 'vsgrpo'
import { makeRooms, type RoomExample } from 'vsgrpo/data'
import { evaluate } from './evaluate.js'
import { writeInitialCheckpoint } from './init-checkpoint.js'
import { trainTokenizer } from './make-tokenizer.js'
import { answerTokens, baseKinds } from './recipe.js'
import { roomData } from './room-data.js'

const vocabSize = 1000

const sftArgs: SFTConfig = {
  // 32 rooms with all their questions.
  perDeviceTrainBatchSize: 32 * baseKinds.length,
  promptsPerMedia: baseKinds.length,
  tokensPerMicroBatch: 100_000,
  learningRate: 1e-3,
  warmupSteps: 50,
  lrSchedulerType: 'cosine',
  saveStrategy: 'no',
}

/** Runs the whole recipe; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      output: { type: 'string', default: 'runs/demo-base' },
      seed: { type: 'string', default: '0' },
      rooms: { type: 'string', default: '6000' },
      steps: { type: 'string', default: '2000' },
    },
  })
  const { output } = values
  const seed = Number(values.seed)
  const train = roomData(
    makeRooms({ recipe: 'base', split: 'base', count: Number(values.rooms), seed, kinds: baseKinds }),
  )
  await rm(output, { recursive: true, force: true })
  await writeInitialCheckpoint(join(output, 'initial'), trainTokenizer(train.rows.map(textOf), vocabSize), seed)

  const policy = await loadModel(join(output, 'initial'), { dtype: 'float32', processor: { cacheBytes: 2 ** 31 } })
  const run = join(output, 'run')
  const trainer = new SFTTrainer({
    model: policy,
    trainDataset: train.dataset,
    encode: train.encode,
    mediaKey: (example) => String(example.scene_name),
    args: { ...sftArgs, outputDir: run, maxSteps: Number(values.steps), seed },
    reporters: [runFolder(run), progress()],
  })
  await trainer.train()
  for (const recipe of ['base', 'demo'] as const) {
    const dev = roomData(makeRooms({ recipe, split: 'dev', count: 250, seed, kinds: baseKinds }))
    const { completions: _, ...scores } = await evaluate(policy, dev, answerTokens)
    console.log(`${recipe} rooms, development split: ${JSON.stringify(scores)}`)
  }
  await policy.save(join(output, 'float32'))
  policy.dispose()
  await roundToBfloat16(join(output, 'float32'), join(output, 'model'))
  return 0
}

/** What the tokenizer is trained on: all that a conversation about the row contains. */
function textOf({ question, answer }: RoomExample): string {
  return `You are a helpful assistant.\nuser\nassistant\nsystem\n${question}${answer}`
}

/** Half the size in the repository; the engine computes in float32 all the same. */
async function roundToBfloat16(from: string, to: string): Promise<void> {
  const model = await loadModel(from, { dtype: 'bfloat16', trainable: false })
  await model.save(to)
  model.dispose()
}
