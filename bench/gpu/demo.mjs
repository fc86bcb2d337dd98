/**
 * A thousand steps of the demo on a GPU: whether its memory stays flat, and how many questions about rooms that it has never
 * seen the model then gets right. `node bench/gpu/demo.mjs --work DIR [--json FILE] [--steps 1000] [--device cuda]`; given again
 * after an interruption, it goes on from the last checkpoint.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { GRPOTrainer, interruptible, loadModel } from 'vsgrpo'
import { jsonl, makeRooms, writeRooms } from 'vsgrpo/data'
import { accuracyReward, named } from 'vsgrpo/rewards'
import { loadAddon, statusBytes } from '../ours/addon.mjs'
import { root } from '../rig/record.mjs'

/** What examples/demo/recipe.ts trains: rooms per step, kinds of question, answers per question. */
const [roomsPerStep, kinds, numGenerations] = [40, ['object_counting', 'object_rel_distance'], 8]
const short = named('short', ({ text }) => (/^\w+$/.test(text) ? 1 : 0))
const answerTokens = 6

const { values } = parseArgs({
  options: {
    work: { type: 'string', default: join(root, 'runs', 'gpu-demo') },
    json: { type: 'string' },
    steps: { type: 'string', default: '1000' },
    rooms: { type: 'string', default: '2000' },
    device: { type: 'string', default: 'cuda' },
  },
})

mkdirSync(values.work, { recursive: true })
const samplesFile = join(values.work, 'memory.jsonl')

/** Rows of a split's rooms, made once. */
async function rowsOf(split, count) {
  const dir = join(values.work, split)
  if (!existsSync(dir)) await writeRooms(dir, makeRooms({ split, count, seed: 0, recipe: 'demo', kinds }), {})
  return jsonl(join(dir, 'questions.jsonl'))
}

function argsOf(steps) {
  return {
    outputDir: join(values.work, 'run'),
    maxSteps: steps,
    perDeviceTrainBatchSize: roomsPerStep * kinds.length * numGenerations,
    numGenerations,
    promptsPerMedia: kinds.length,
    tokensPerMicroBatch: 100_000,
    maxCompletionLength: answerTokens,
    learningRate: 3e-4,
    lrSchedulerType: 'linear',
    beta: 0.01,
    dynamicSampling: 'drop',
    saveSteps: Math.max(1, Math.round(steps / 10)),
    saveTotalLimit: 1,
    logCompletions: false,
  }
}

/** Writes down, twenty times in a run, what the device and the process hold. */
function memoryWatch(steps) {
  const every = Math.max(1, Math.round(steps / 20))
  return {
    async onEvent(event) {
      if (event.type !== 'step' || event.step % every !== 0) return
      const gpu = values.device === 'cuda' ? await loadAddon().gpuMemory() : {}
      const row = { step: event.step, reward: event.metrics.reward, ...gpu, hostBytes: statusBytes('VmRSS') }
      appendFileSync(samplesFile, `${JSON.stringify(row)}\n`)
    },
  }
}

/** Part of the questions whose greedy answer is right. */
async function accuracy(policy) {
  const rows = await rowsOf('test', 400)
  let right = 0
  for (let first = 0; first < rows.length; first += 96) {
    const part = Array.from({ length: Math.min(96, rows.length - first) }, (_, i) => rows.get(first + i))
    const prompts = await Promise.all(part.map(({ messages }) => policy.processor.prompt(messages)))
    const answers = await policy.generate(prompts, { temperature: 0, maxNewTokens: answerTokens })
    right += answers.filter(([{ text }], i) => text.trim() === part[i].answer).length
  }
  return right / rows.length
}

async function main(signal) {
  const steps = Number(values.steps)
  const args = argsOf(steps)
  const policy = await loadModel(join(root, 'examples/demo/base'), {
    // A GPU's fast attention is in bfloat16; the optimizer keeps float32 masters.
    dtype: values.device === 'cuda' ? 'bfloat16' : 'float32',
    device: values.device,
    processor: { cacheBytes: 2 ** 31 },
  })
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: await rowsOf('train', Number(values.rooms)),
    rewardFuncs: [accuracyReward(), short],
    rewardWeights: [1, 0.1],
    args,
    reporters: [memoryWatch(steps)],
    signal,
  })
  const resumeFromCheckpoint = existsSync(join(args.outputDir, 'checkpoints'))
  const { reason } = await trainer.train({ resumeFromCheckpoint })
  const result = reason === 'aborted' ? undefined : { steps, accuracy: await accuracy(policy), memory: samples() }
  policy.dispose()
  return result
}

function samples() {
  const lines = readFileSync(samplesFile, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line))
}

const result = await interruptible(main)
if (result) {
  const text = `${JSON.stringify({ benchmark: 'gpu/demo', device: values.device, ...result }, null, 2)}\n`
  process.stdout.write(text)
  if (values.json) writeFileSync(values.json, text)
} else {
  process.stderr.write('interrupted; the same command goes on\n')
  process.exitCode = 130
}
