/** One cell in a process of its own: trains, evaluates, leaves its result. Killed at any time, it goes on where it was. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { loadModel, type Policy } from 'vsgrpo'
import { formatReward } from 'vsgrpo/rewards'
import { readFacts } from '../../src/log/run-folder.js'
import { countWeights, type Lengths, operations, passes } from './arithmetic.js'
import { type Cell, siblingOf, yardstickOf } from './cells.js'
import { mean, meanOf, readCurves } from './curves.js'
import { type Answers, evaluate } from './evaluate.js'
import type { Mode } from './modes.js'
import { type CellResult, type Evaluation, readResult, writePoints, writeResult } from './result.js'
import { type RoomRows, roomRows } from './room-rows.js'
import { studySet, trainedKinds } from './rooms.js'
import { type Size, trainRooms } from './sizes.js'
import { argsOf, numGenerations, train } from './training.js'

export interface CellRun {
  readonly cell: Cell
  readonly size: Size
  readonly baseDir: string
  /** Where all cells have their folders. */
  readonly output: string
  readonly root: string
}

/** Runs a cell to its end; the exit code. */
export async function runCell(run: CellRun, signal: AbortSignal): Promise<number> {
  const { cell, size, baseDir, output } = run
  const dir = join(output, cell.name)
  const data = roomRows(studySet('train', trainRooms(size)), cell.mode)
  const steps = stepsOf(run)
  const policy = await loadModel(baseDir, { dtype: 'float32' })
  try {
    if (cell.method !== 'base') {
      const training = { cell, size, steps, policy, ...data, outputDir: dir, signal }
      const { reason } = await train(training, { resumeFromCheckpoint: hasCheckpoint(dir) })
      if (reason === 'aborted') return 130
    }
    const began = performance.now()
    const evaluations = await evaluateAll(policy, run, signal)
    const seconds = { train: readFacts(dir)?.seconds ?? 0, evaluate: (performance.now() - began) / 1000 }
    const done = cell.method === 'base' ? 0 : steps
    writeResult(output, {
      cell,
      size,
      args: { ...argsOf({ cell, size, steps }) },
      steps: done,
      questions: done * size.roomsPerStep * trainedKinds.length,
      operations: done * (await operationsPerStep(run, data, policy)),
      seconds,
      ...circumstances(run.root),
      ...evaluations,
      curves: readCurves(dir),
    })
    rmSync(join(dir, 'checkpoints'), { recursive: true, force: true })
    return 0
  } finally {
    policy.dispose()
  }
}

/** At equal compute: what the yardstick's arithmetic pays for at the price of the sibling's steps. */
function stepsOf({ cell, size, output }: CellRun): number {
  if (cell.learningRate !== undefined) return Math.ceil(size.steps / 3)
  if (cell.budget === 'examples') return size.steps
  const [budget, sibling] = [readResult(output, yardstickOf(cell)), readResult(output, siblingOf(cell))]
  if (!budget || !sibling)
    throw new Error(`${cell.name}: expected ${yardstickOf(cell).name} and ${siblingOf(cell).name}`)
  return Math.max(1, Math.round((budget.operations * sibling.steps) / sibling.operations))
}

function hasCheckpoint(dir: string): boolean {
  const folder = join(dir, 'checkpoints')
  return existsSync(folder) && readdirSync(folder).some((name) => /^step-\d+$/.test(name))
}

/** The cell's own mode and the grey control; models of other modes are asked in vanilla too, as in the paper. */
async function evaluateAll(policy: Policy, { cell, size }: CellRun, signal: AbortSignal) {
  const part = cell.learningRate === undefined ? 'test' : 'dev'
  const set = studySet(part, part === 'test' ? size.testRooms : size.devRooms)
  const asked: { mode: Mode; show: Evaluation['show'] }[] = [
    { mode: cell.mode, show: 'frames' },
    { mode: cell.mode, show: 'grey' },
    ...(cell.mode === 'vanilla' || cell.method === 'base' ? [] : [{ mode: 'vanilla', show: 'frames' } as const]),
  ]
  const evaluations: Evaluation[] = []
  let samples: CellResult['samples'] = []
  for (const { mode, show } of asked) {
    const data = roomRows(set, mode, show)
    const answers = await evaluate(policy, data, mode, signal)
    if (evaluations.length === 0) samples = someAnswers(data, answers)
    evaluations.push({ mode, show, ...(await describe(answers, mode)) })
  }
  return { evaluations, samples }
}

async function describe({ points, completions }: Answers, mode: Mode) {
  const keepsFormat = formatReward(mode)
  const kept = await Promise.all(
    completions.map(async (text) =>
      Number(await keepsFormat({ text, ids: new Int32Array(), finishReason: 'stop', example: { messages: [] } })),
    ),
  )
  return {
    points: writePoints(points),
    format: mean(kept),
    length: mean(completions.map((text) => text.length)),
  }
}

/** One of each kind, of different rooms. */
function someAnswers({ rows }: RoomRows, { completions }: Answers): CellResult['samples'] {
  const kinds = [...new Set(rows.map((row) => row.question_type))]
  return kinds.flatMap((kind, k) => {
    const own = rows.flatMap((row, i) =>
      row.question_type === kind ? [{ row, completion: completions[i] ?? '' }] : [],
    )
    const one = own[k % own.length]
    return one ? [{ question: one.row.question, answer: one.row.answer, completion: one.completion }] : []
  })
}

async function operationsPerStep({ cell, size, output, baseDir }: CellRun, data: RoomRows, policy: Policy) {
  const [rooms, questions] = [size.roomsPerStep, size.roomsPerStep * trainedKinds.length]
  const sample = data.rows.slice(0, 20 * trainedKinds.length)
  const prompts = await Promise.all(sample.map((row) => data.encode(row, policy.processor)))
  const prefix = mean(prompts.map(({ sharedLength }) => sharedLength))
  const patches = mean(
    prompts.map(({ media: [film] }) => (film?.grid ?? [0, 0, 0]).reduce((product, n) => product * n, 1)),
  )
  const lengths: Lengths = { prefix, patches, question: mean(prompts.map(({ ids }) => ids.length)) - prefix }
  const answer = mean(sample.map((row) => policy.processor.encode(row.answer).length + 1))
  const sampled = cell.method === 'grpo' ? meanOf(join(output, cell.name), 'completions/mean_length') : 0
  const perQuestion = { base: 0, sft: answer, dpo: 2 * answer, grpo: numGenerations * sampled }[cell.method]
  const of = cell.method === 'grpo' ? passes.grpo(cell.beta ?? 0) : passes[cell.method === 'dpo' ? 'dpo' : 'sft']
  return operations({ rooms, questions, answerTokens: questions * perQuestion }, lengths, countWeights(baseDir), of)
}

function circumstances(root: string) {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  const changed = git('status', '--porcelain', '--', 'src', 'native', 'examples/study') !== ''
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${process.env.OMP_NUM_THREADS ?? 'all'} threads`
  const commit = git('rev-parse', '--short', 'HEAD') || 'unknown'
  return { machine, commit: changed ? `${commit} with changes` : commit, finishedAt: new Date().toISOString() }
}
