/**
 * The demo: GRPO teaches a small Qwen2-VL to answer questions about rooms that it sees as video frames, and is measured on
 * rooms that it never saw. Everything takes the path that a run on Qwen2-VL-2B takes, only smaller.
 *
 *   npm run demo -- [--seed 0] [--output runs/demo] [--short] [--resume] [--base DIR]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  GRPOTrainer,
  interruptible,
  loadModel,
  type Policy,
  progress,
  runFolder,
  SFTTrainer,
  writeReport,
} from 'vsgrpo'
import { fitBlind, grey, makeRooms } from 'vsgrpo/data'
import { type Evaluation, evaluate, score } from './evaluate.js'
import {
  answerTokens,
  grpoArgs,
  kinds,
  rewardFuncs,
  rewardWeights,
  type Size,
  sizes,
  supervisedArgs,
} from './recipe.js'
import { type RoomData, roomData } from './room-data.js'
import { writeSamples } from './samples.js'
import { timeLimit } from './time-limit.js'

/** Where the package lies, and how long it took to set it up. */
interface Start {
  readonly root: string
  readonly setupSeconds: number
}

interface Options extends Start {
  readonly baseDir: string
  readonly seed: number
  readonly output: string
  readonly size: Size
  readonly resume: boolean
}

/** Runs the demo; the exit code. */
export async function main(args: readonly string[], start: Start): Promise<number> {
  const options = readOptions(args, start)
  if (!options.resume) rmSync(options.output, { recursive: true, force: true })
  mkdirSync(options.output, { recursive: true })
  return interruptible((signal) => runDemo(options, signal))
}

async function runDemo(options: Options, signal: AbortSignal): Promise<number> {
  const { output, seed } = options
  const data = makeData(options)
  const clock = stopwatch()
  const policy = await loadModel(options.baseDir, { dtype: 'float32', processor: { cacheBytes: 2 ** 31 } })
  await drawRooms(policy, data.train)
  const rooms = clock()
  const base = await evaluateBoth(policy, data)
  say(`base: ${percent(base.seen.accuracy)} right`)
  const evalBase = clock()

  say(`training for ${options.size.trainSeconds} s, or ${options.size.steps} steps where they take less`)
  const { reason, steps } = await trainGrpo(policy, data, options, signal)
  if (reason === 'stopped') say(`stopped after ${steps} steps: the time is over`)
  const train = clock()
  if (reason === 'aborted') {
    policy.dispose()
    say(`interrupted; go on with: npm run demo -- --resume --seed ${seed} --output ${output}`)
    return 130
  }
  const trained = await evaluateBoth(policy, data)
  await policy.save(join(output, 'model'))
  policy.dispose()
  say(`trained: ${percent(trained.seen.accuracy)} right`)
  const evalTrained = clock()

  const supervised = await continueSupervised(data, options, train, signal)
  if (!supervised) return 130
  const seconds = { setup: options.setupSeconds, rooms, train, eval: evalBase + evalTrained, supervised: clock() }
  await writeResults(options, data.test, { base, trained, supervised, blind: answerBlind(data) }, { steps, seconds })
  return 0
}

interface Data {
  readonly train: RoomData
  readonly dev: RoomData
  readonly test: RoomData
  /** The test rooms with frames that show nothing. */
  readonly grey: RoomData
}

function makeData({ seed, size }: Options): Data {
  const rooms = (split: 'train' | 'dev' | 'test', count: number) => makeRooms({ split, count, seed, kinds })
  const testSet = rooms('test', size.testRooms)
  const data = {
    train: roomData(rooms('train', size.trainRooms)),
    dev: roomData(rooms('dev', Math.ceil(size.testRooms / 8))),
    test: roomData(testSet),
    grey: roomData(testSet, grey),
  }
  const [learn, ask] = [data.train.rows.length, data.test.rows.length]
  say(
    `${learn} questions about ${size.trainRooms} rooms to learn from, ${ask} about ${size.testRooms} others as the test`,
  )
  return data
}

/** Renders all rooms once, so that memory and speed are the same from the first training step to the last. */
async function drawRooms(policy: Policy, data: RoomData): Promise<void> {
  for (const row of data.rows) await data.encode(row, policy.processor)
}

/** The best that can be had from the questions' text alone. */
function answerBlind({ train, test }: Data): Evaluation {
  return score(test, test.rows.map(fitBlind(train.rows)))
}

interface Results {
  readonly base: Both
  readonly trained: Both
  readonly supervised: Evaluation
  readonly blind: Evaluation
}

async function writeResults(options: Options, test: RoomData, results: Results, run: object): Promise<void> {
  const { output, seed } = options
  const { base, trained, supervised, blind } = results
  const summary = {
    base: report(base.seen),
    trained: report(trained.seen),
    blind: report(blind),
    supervised: report(supervised),
    grey: { base: report(base.grey), trained: report(trained.grey) },
    parsed: { base: base.seen.parsed, trained: trained.seen.parsed },
    heldOutQuestions: test.rows.length,
    seed,
    ...run,
  }
  writeFileSync(join(output, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`)
  await writeSamples(output, test, { base: base.seen, trained: trained.seen })
  const file = await writeReport(output)
  printTable({ blind, base: base.seen, trained: trained.seen, supervised, 'trained, grey frames': trained.grey })
  say(`\ncheckpoint  ${join(output, 'model')}\nreport      ${file}`)
}

function readOptions(args: readonly string[], start: Start): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '0' },
      output: { type: 'string', default: 'runs/demo' },
      short: { type: 'boolean', default: false },
      resume: { type: 'boolean', default: false },
      base: { type: 'string', default: join(start.root, 'examples/demo/base') },
    },
  })
  const seed = Number(values.seed)
  if (!Number.isInteger(seed) || seed < 0)
    throw new TypeError(`--seed: expected an integer of at least 0, got '${values.seed}'`)
  const size = values.short ? sizes.short : sizes.full
  return { ...start, seed, size, output: values.output, baseDir: values.base, resume: values.resume }
}

interface Both {
  readonly seen: Evaluation
  readonly grey: Evaluation
}

/** Test questions with the frames, and with grey frames: what does not look must fall back to guessing. */
async function evaluateBoth(policy: Policy, { test, grey }: Data): Promise<Both> {
  return { seen: await evaluate(policy, test, answerTokens), grey: await evaluate(policy, grey, answerTokens) }
}

async function trainGrpo(policy: Policy, { train, dev }: Data, options: Options, signal: AbortSignal) {
  const { size, seed, output, resume } = options
  const limit = timeLimit(size.trainSeconds)
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: train.dataset,
    evalDataset: dev.dataset,
    encode: (example, processor) => (dev.has(example) ? dev : train).encode(example, processor),
    mediaKey: (example) => String(example.scene_name),
    rewardFuncs,
    rewardWeights,
    args: grpoArgs(size, seed, output),
    reporters: [runFolder(output), limit.within(progress())],
    callbacks: [limit.stop],
    signal,
  })
  return trainer.train({ resumeFromCheckpoint: resume })
}

/** The control; undefined when it was interrupted. */
async function continueSupervised({ train, test }: Data, options: Options, seconds: number, signal: AbortSignal) {
  say(`control: supervised training goes on from the base for the same ${Math.round(seconds)} s`)
  const policy = await loadModel(options.baseDir, { dtype: 'float32' })
  const trainer = new SFTTrainer({
    model: policy,
    trainDataset: train.dataset,
    encode: train.encode,
    mediaKey: (example) => String(example.scene_name),
    args: supervisedArgs(options.size, options.seed),
    reporters: [],
    callbacks: [timeLimit(seconds).stop],
    signal,
  })
  const { reason } = await trainer.train()
  const result = reason === 'aborted' ? undefined : await evaluate(policy, test, answerTokens)
  policy.dispose()
  return result
}

function report({ accuracy, reward, count, byTask }: Evaluation) {
  return { accuracy, reward, count, byTask }
}

function printTable(results: Readonly<Record<string, Evaluation>>): void {
  const rows = Object.entries(results)
  const tasks = Object.keys(rows[0]?.[1].byTask ?? {})
  say(['', ...tasks, 'all'].map((cell) => cell.replace('object_', '').padStart(20)).join(' '))
  for (const [name, { byTask, accuracy }] of rows) {
    const cells = [...tasks.map((task) => percent(byTask[task]?.accuracy ?? 0)), percent(accuracy)]
    say([name, ...cells].map((cell) => cell.padStart(20)).join(' '))
  }
}

function stopwatch(): () => number {
  let last = performance.now()
  return () => {
    const seconds = (performance.now() - last) / 1000
    last = performance.now()
    return Math.round(seconds * 10) / 10
  }
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
