/** The paper's run: its configuration is read as the command reads it and runs on the fake engine; its commands are commands. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '../../../src/cli/config.js'
import { runCommandLine } from '../../../src/cli/program.js'
import { loadRewards } from '../../../src/cli/reward-funcs.js'
import type { LoadModelOptions } from '../../../src/policy.js'
import { vsgrpo } from '../../../src/train/grpo/config.js'
import { keepPrinted } from '../../printed.js'
import { fakePolicy } from '../train/fake-engine.js'

const loaded: LoadModelOptions[] = []
vi.mock('../../../src/policy.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../../../src/policy.js')>()),
  loadModel: async (folder: string, options: LoadModelOptions) => {
    loaded.push(options)
    return (await fakePolicy(folder)).policy
  },
}))

const example = fileURLToPath(new URL('../../../examples/vsgrpo-2b', import.meta.url))
const config = join(example, 'grpo.yaml')

const printed = keepPrinted()
let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-2b-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const cli = (...args: string[]) => runCommandLine(args)

/** Two steps of the run, but for model, data and place; the arguments that its folder says it had. */
async function run(...overrides: string[]): Promise<unknown> {
  const rows = Array.from({ length: 16 }, (_, id) => {
    return { id, messages: [{ role: 'user', content: `red ${'abcdefghijklmnop'[id]}` }], answer: id % 2 ? 'x' : '2' }
  })
  writeFileSync(join(dir, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const here = [
    '--model',
    join(dir, 'model'),
    '--train-dataset',
    join(dir, 'rows.jsonl'),
    '--output-dir',
    join(dir, 'run'),
  ]
  expect(await cli('grpo', config, ...here, '--max-steps', '2', '--ignore-plan', ...overrides), printed.err).toBe(0)
  return JSON.parse(readFileSync(join(dir, 'run', 'config.json'), 'utf8'))
}

describe('the configuration of the paper', () => {
  it('is one that the command runs, with the preset in it, frames and LoRA', async () => {
    expect(await run()).toMatchObject({ args: vsgrpo('2b'), rewardFuncs: ['accuracy'] })
    expect(loaded.at(-1)).toMatchObject({
      dtype: 'bfloat16',
      lora: { r: 64, alpha: 128 },
      processor: { sampling: { frames: 16, spacing: 'ends' } },
    })
  })

  it('becomes that of the larger model by the learning rate', async () => {
    expect(await run('--learning-rate', '5e-6')).toMatchObject({ args: vsgrpo('7b') })
  })

  it('says of every setting whether the paper states it', () => {
    const settings = readFileSync(config, 'utf8')
      .split('\n')
      .filter((line) => /^\s*\w+: [^#\s]/.test(line))
    expect(settings.length).toBeGreaterThan(20)
    expect(settings.filter((line) => !/ # (paper|ours)\b/.test(line))).toEqual([])
    // All that the preset holds is marked as the paper's, but for the batch, which follows from the group.
    const { perDeviceTrainBatchSize: _, ...stated } = vsgrpo('2b')
    const marked = settings.filter((line) => line.includes('# paper')).map((line) => line.trim().split(':')[0])
    expect(marked).toEqual(expect.arrayContaining(Object.keys(stated)))
  })
})

it('rewards words by equality and numbers by their ratio', async () => {
  const [accuracy] = await loadRewards(
    readConfig(config, ['--reward-funcs', `${join(example, 'reward.mjs')}#accuracy`], {
      rewardFuncs: null,
      model: null,
      lora: null,
      dtype: null,
      trainDataset: null,
      sampling: null,
      args: null,
    }),
  )
  const earned = (text: string, answer: string) =>
    accuracy?.({ text, ids: new Int32Array(0), finishReason: 'stop', example: { messages: [], answer } })
  expect([await earned('Left.', 'left'), await earned('right', 'left')]).toEqual([1, 0])
  expect([await earned('2', '2'), await earned('3', '2'), await earned('5', '2')]).toEqual([1, 0.5, 0])
})

describe('the commands in its README', () => {
  const text = readFileSync(join(example, 'README.md'), 'utf8')
  const commands = [...text.matchAll(/^npx vsgrpo (.*)$/gm)].map(([, words = '']) => words.split(/\s+/))

  it('are those of three steps', () => {
    expect(commands.map(([name]) => name)).toEqual(['questions', 'grpo', 'eval'])
  })

  it.each(commands.filter(([name]) => name !== 'grpo'))(
    '%s has such options, and asks for its files',
    async (...words) => {
      expect(await cli(...words)).toBe(2)
      expect(printed.err).toMatch(/no such file|cannot read|not found|there is no/)
    },
  )
})
