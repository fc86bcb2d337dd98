/** The README's first program is examples/grpo.ts; it and all other examples run, on rooms that are made for it. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jsonl } from '../../src/data/index.js'
import { GRPOTrainer, loadModel } from '../../src/index.js'
import { accuracyReward } from '../../src/rewards/index.js'
import type { Metrics } from '../../src/types.js'
import { readRows } from './cli.js'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-example-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
const sourceOf = (name: string) => readFileSync(join(root, 'examples', `${name}.ts`), 'utf8')

beforeAll(() => {
  const cli = join(root, 'dist/cli/main.js')
  const rooms = [
    ['rooms', '--count', '40'],
    ['test-rooms', '--count', '12', '--split', 'test'],
  ]
  for (const [output = '', ...options] of rooms) {
    const made = node(cli, 'rooms', '--output', output, '--recipe', 'demo', ...options)
    expect(made.status, made.stderr).toBe(0)
  }
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
})

/** Runs an example, for so many steps where it trains. */
async function run(name: string, steps?: number) {
  const source = sourceOf(name)
  const contents = steps === undefined ? source : source.replace(/maxSteps( =|:) \d+/, `maxSteps$1 ${steps}`)
  // Inside the package, where `vsgrpo` is this package itself.
  const outfile = join(root, 'build/examples', `${name}.mjs`)
  await build({
    stdin: { contents, loader: 'ts', resolveDir: join(root, 'examples') },
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    tsconfigRaw: {},
  })
  return node(outfile)
}

it('stands in the README as it is', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(sourceOf('grpo'))
})

const trainings: [name: string, folder: string, steps: number, metrics: string[]][] = [
  ['sft', 'sft', 4, ['loss', 'mean_token_accuracy']],
  ['dpo', 'dpo', 4, ['loss', 'rewards/margins', 'logits/chosen']],
  ['grpo', 'first', 4, ['reward', 'kl']],
  ['custom-reward', 'custom-reward', 4, ['rewards/close/mean', 'rewards/agreed/mean']],
  ['custom-loss', 'custom-loss', 4, ['loss', 'bounded']],
]

it('knows of every example, none of which is longer than a screen', () => {
  const files = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'))
  expect(files.sort()).toEqual(
    ['evaluate', 'own-loop', ...trainings.map(([name]) => name)].map((name) => `${name}.ts`).sort(),
  )
  for (const file of files) {
    const lines = readFileSync(join(root, 'examples', file), 'utf8')
      .trimEnd()
      .split('\n')
    expect(lines.length, file).toBeLessThanOrEqual(60)
  }
})

it('examples/evaluate.ts says what part of the questions of each kind is answered right', async () => {
  const { stdout, stderr, status } = await run('evaluate')
  expect(status, stderr).toBe(0)
  const [all, ...kinds] = stdout
    .trimEnd()
    .split('\n')
    .reverse()
    .map((line) => /^(\w+): ([\d.]+) ± [\d.]+ % of (\d+)$/.exec(line))
  const questions = readRows<{ question_type: string }>(join(folder, 'test-rooms/questions.jsonl'))
  expect(kinds.map((kind) => kind?.[1]).sort()).toEqual([...new Set(questions.map((row) => row.question_type))].sort())
  expect(kinds.reduce((sum, kind) => sum + Number(kind?.[3]), 0)).toBe(questions.length)
  expect(all?.[1]).toBe('all')
  // The checkpoint has learned to answer, if not well: it is neither blind nor perfect.
  expect(Number(all?.[2])).toBeGreaterThan(15)
  expect(Number(all?.[2])).toBeLessThan(95)
})

it('examples/own-loop.ts does what GRPOTrainer does', { timeout: 240_000 }, async () => {
  const { stdout, stderr, status } = await run('own-loop', 2)
  expect(status, stderr).toBe(0)
  const own: Record<string, number>[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const base = join(root, 'examples/demo/base')
  const model = await loadModel(base)
  const trainer = new GRPOTrainer({
    model,
    trainDataset: jsonl(join(folder, 'rooms/questions.jsonl')),
    rewardFuncs: accuracyReward(),
    args: {
      numGenerations: 8,
      perDeviceTrainBatchSize: 64,
      maxCompletionLength: 8,
      beta: 0.01,
      learningRate: 1e-4,
      lrSchedulerType: 'constant',
      shuffleDataset: false,
      seed: 0,
      maxSteps: 2,
    },
    reporters: [],
  })
  const steps: Metrics[] = []
  for await (const event of trainer) if (event.type === 'step') steps.push(event.metrics)
  model.dispose()
  expect(own).toHaveLength(2)
  expect(existsSync(join(folder, 'runs/own-loop/model/model.safetensors'))).toBe(true)
  // In bfloat16 an update that is rounded otherwise may turn an answer of the second step.
  for (const [step, digits] of [6, 1].entries()) {
    const { reward = 0, loss = 0, grad_norm = 0 } = steps[step] ?? {}
    expect(own[step]?.reward).toBeCloseTo(reward, digits)
    expect(own[step]?.loss).toBeCloseTo(loss, 4)
    expect((own[step]?.grad_norm ?? 0) / grad_norm).toBeCloseTo(1, 1)
  }
})

it.each(trainings)(
  'examples/%s.ts trains on rooms and saves a model',
  { timeout: 240_000 },
  async (name, folderName, steps, metrics) => {
    const { stderr, status } = await run(name, steps)
    expect(stderr).toContain(`finished at step ${steps}`)
    expect(status).toBe(0)
    const runFolder = join(folder, 'runs', folderName)
    expect(existsSync(join(runFolder, 'model/model.safetensors'))).toBe(true)
    const rows = readRows<Record<string, number>>(join(runFolder, 'metrics.jsonl'))
    expect(rows).toHaveLength(steps)
    // A reward that does not apply to any question of a step has no row of its own.
    for (const metric of metrics)
      expect(
        rows.some((row) => Number.isFinite(row[metric])),
        metric,
      ).toBe(true)
    expect(new Set(rows.map(({ grad_norm }) => grad_norm)).size).toBeGreaterThan(1)
  },
)
