// The commands from end to end on a fake engine: train, Ctrl-C, resume, generate, score.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runCommandLine } from '../../../src/cli/program.js'
import { readLines } from '../../../src/log/lines.js'
import { keepPrinted } from '../../printed.js'
import { fakePolicy } from '../train/fake-engine.js'

vi.mock('../../../src/policy.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../../../src/policy.js')>()),
  loadModel: async (folder: string) => (await fakePolicy(folder)).policy,
}))
/** What a plan says: set by tests, which see what was asked of it. */
const planned = vi.hoisted(() => ({ fits: true, asked: [] as object[] }))
vi.mock('../../../src/plan/plan.js', () => ({
  async plan({ args }: { args: object }) {
    planned.asked.push(args)
    const parts = { weights: 3e9, activations: 2e9 }
    const memory = { parts, peakBytes: 5e9, peakPhase: 'learning', availableBytes: planned.fits ? 6e9 : 4e9 }
    const remedies = [{ change: 'beta: 0', peakBytes: 3.5e9, fits: true }]
    const time = { secondsPerStep: 2 }
    return { memory: { ...memory, fits: planned.fits }, time, steps: 6, tokensPerMicroBatch: 77, remedies }
  },
}))

const printed = keepPrinted()
let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'train-'))
  const rows = ['red a', 'red b', 'red c', 'red d'].map((content, i) => ({
    id: i,
    messages: [{ role: 'user', content }],
    answer: 'xyzx'[i],
    completion: 'xyzx'[i],
  }))
  put('rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  put('rewards.mjs', 'export const first = ({ text, example }) => (text[0] === example.answer ? 1 : 0)\n')
  const args =
    '{ num_generations: 4, per_device_train_batch_size: 8, max-completion-length: 2, maxSteps: 6, evalSteps: 3 }'
  put('run.yaml', `model: model\ntrainDataset: rows.jsonl\nrewardFuncs: [./rewards.mjs#first]\nargs: ${args}\n`)
})
afterEach(() => {
  process.exitCode = 0
  planned.fits = true
  planned.asked = []
})

function put(file: string, text: string): void {
  writeFileSync(join(dir, file), text)
}

const cli = (...args: string[]) => runCommandLine(args)

const steps = (run: string): unknown[] => readLines(join(dir, run, 'metrics.jsonl')).map((row) => row.step)

/** Presses Ctrl-C (or sends another signal) as soon as the run folder has a row for the step. */
function interruptAt(run: string, step: number, signal: 'SIGINT' | 'SIGHUP' = 'SIGINT'): void {
  const timer = setInterval(() => {
    if (!steps(run).includes(step)) return
    clearInterval(timer)
    process.emit(signal)
  }, 1)
}

describe('vsgrpo grpo', () => {
  it('leaves a run folder with configuration, rows, checkpoint and report', async () => {
    expect(await cli('grpo', join(dir, 'run.yaml'), '--eval-dataset', join(dir, 'rows.jsonl'), '--beta', '0.01')).toBe(
      0,
    )
    const run = join(dir, 'runs/run')
    expect(readdirSync(run).sort()).toEqual([
      ...['checkpoints', 'completions.jsonl', 'config.json', 'metrics.jsonl', 'report.html', 'run.json'],
    ])
    expect(readdirSync(join(run, 'checkpoints'))).toEqual(['step-6'])
    expect(steps('runs/run')).toEqual([1, 2, 3, 3, 4, 5, 6, 6])
    expect(JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'))).toMatchObject({
      trainFiles: [join(dir, 'rows.jsonl')],
      evalFiles: [join(dir, 'rows.jsonl')],
      args: { beta: 0.01, maxSteps: 6 },
    })
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('<b>Reward</b>')
    expect(printed.err).toMatch(/step 6\/6 .*reward/)
    expect(printed.out).toBe('')
  })

  it('trains on a split of a folder, in another library’s form, and tells what it leaves out', async () => {
    const row = (i: number): string => JSON.stringify({ prompt: `red ${'abcde'[i]}`, solution: '<answer>x</answer>' })
    mkdirSync(join(dir, 'rows'))
    put('rows/train-1.jsonl', `${row(0)}\n${row(1)}\n{"prompt": 7}\n`)
    put('rows/train-2.jsonl', `${row(2)}\n${row(3)}\n`)
    put('rows/test.jsonl', `${row(4)}\n`)
    const dataset = '{ path: rows, split: train, badRows: skip }'
    put('run.yaml', readFileSync(join(dir, 'run.yaml'), 'utf8').replace('rows.jsonl', dataset))
    expect(await cli('grpo', join(dir, 'run.yaml'), '--max-steps', '2'), printed.err).toBe(0)
    expect(printed.err).toContain('rows/train-1.jsonl:3: prompt: expected')
    expect(printed.err).toContain('rows/train-1.jsonl: 1 of 3 rows skipped')
    const { trainFiles } = JSON.parse(readFileSync(join(dir, 'runs/run/config.json'), 'utf8'))
    expect(trainFiles).toEqual(['rows/train-1.jsonl', 'rows/train-2.jsonl'].map((name) => join(dir, name)))
    put('run.yaml', readFileSync(join(dir, 'run.yaml'), 'utf8').replace('split: train, ', ''))
    expect(await cli('grpo', join(dir, 'run.yaml'), '--output-dir', join(dir, 'again'))).toBe(2)
    expect(printed.err).toMatch(/rows: expected one split, but its files are of test, train/)
  })

  it('saves a checkpoint at Ctrl-C, exits with 130, and goes on from it to the same end', async () => {
    const file = join(dir, 'run.yaml')
    const [whole, parts] = [join(dir, 'whole'), join(dir, 'parts')]
    expect(await cli('grpo', file, '--output-dir', whole, '--max-steps', '60')).toBe(0)
    interruptAt('parts', 3)
    expect(await cli('grpo', file, '--output-dir', parts, '--max-steps', '60')).toBe(130)
    const saved = readdirSync(join(parts, 'checkpoints'))
    expect(saved).toHaveLength(1)
    expect(saved).not.toEqual(['step-60'])
    expect(printed.err).toContain('--resume goes on from here')
    expect(process.listenerCount('SIGINT')).toBe(0)
    process.exitCode = 0
    expect(await cli('grpo', file, '--output-dir', parts, '--max-steps', '60', '--resume')).toBe(0)
    expect(steps('parts')).toEqual(steps('whole'))
    const weights = (run: string): string => readFileSync(join(run, 'checkpoints/step-60/model.safetensors'), 'utf8')
    expect(weights(parts)).toBe(weights(whole))
  })

  it('saves a checkpoint when the terminal is closed, and exits with 129', async () => {
    interruptAt('closed', 3, 'SIGHUP')
    const words = ['--output-dir', join(dir, 'closed'), '--max-steps', '60']
    expect(await cli('grpo', join(dir, 'run.yaml'), ...words)).toBe(129)
    expect(readdirSync(join(dir, 'closed/checkpoints'))).toHaveLength(1)
    expect(process.listenerCount('SIGHUP')).toBe(0)
  })

  it('goes on from the checkpoint that is named', async () => {
    const file = join(dir, 'run.yaml')
    expect(await cli('grpo', file, '--save-steps', '2')).toBe(0)
    const checkpoint = join(dir, 'runs/run/checkpoints/step-2')
    expect(await cli('grpo', file, '--max-steps', '4', '--resume', checkpoint)).toBe(0)
    expect(printed.err).toContain('going on from step 2')
    expect(steps('runs/run')).toEqual([1, 2, 3, 4])
    const again = ['--beta', '0.5', '--resume', checkpoint, '--output-dir', join(dir, 'other')]
    expect(await cli('grpo', file, ...again), printed.err).toBe(0)
    expect(steps('other')).toEqual([3, 4, 5, 6])
    expect(planned.asked.at(-1)).toMatchObject({ tokensPerMicroBatch: 77, beta: 0.5 })
    expect(await cli('grpo', file, ...again)).toBe(2)
    expect(printed.err).toMatch(/other already holds a run: go on with --resume/)
  })

  it('starts a run anew that ended in its first save, when asked to go on', async () => {
    const file = join(dir, 'run.yaml')
    expect(await cli('grpo', file)).toBe(0)
    const [run, saved] = [join(dir, 'runs/run'), join(dir, 'runs/run/checkpoints')]
    renameSync(join(saved, 'step-6'), join(saved, 'step-6.77.tmp'))
    const facts = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))
    put('runs/run/run.json', JSON.stringify({ ...facts, step: 0, state: 'running' }))
    expect(await cli('grpo', file)).toBe(2)
    expect(printed.err).toMatch(/ended before its first checkpoint: start it anew with --resume, or give another/)
    expect(await cli('grpo', file, '--resume')).toBe(0)
    expect(printed.err).toMatch(/runs\/run: no checkpoint yet; the run starts anew/)
    expect(readdirSync(saved)).toEqual(['step-6'])
    expect(steps('runs/run')).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('exits with 1 and names the example when a reward throws, and keeps what was saved', async () => {
    put(
      'rewards.mjs',
      "let n = 0\nexport const first = () => { if (n++ > 20) throw new Error('oh no'); return n % 2 }\n",
    )
    expect(await cli('grpo', join(dir, 'run.yaml'), '--save-steps', '1')).toBe(1)
    expect(printed.err).toMatch(/error: .*first.*oh no/)
    expect(readdirSync(join(dir, 'runs/run/checkpoints'))).toContain('step-1')
    expect(steps('runs/run')).toContain(1)
  })
})

describe('onRewardError null, as YAML reads it', () => {
  it('counts the failures of a reward, from the command line and from the file', async () => {
    put('rewards.mjs', "export const first = () => { throw new Error('oh no') }\n")
    const file = join(dir, 'run.yaml')
    expect(await cli('grpo', file, '--max-steps', '1')).toBe(1)
    expect(printed.err).toContain("onRewardError 'null'")
    const again = ['--max-steps', '1', '--output-dir']
    expect(await cli('grpo', file, ...again, join(dir, 'a'), '--on-reward-error', 'null'), printed.err).toBe(0)
    put('run.yaml', readFileSync(file, 'utf8').replace('maxSteps: 6', 'onRewardError: null'))
    expect(await cli('grpo', file, ...again, join(dir, 'b')), printed.err).toBe(0)
    expect(steps('b')).toContain(1)
  })
})

describe('the plan before a run', () => {
  const config = () => JSON.parse(readFileSync(join(dir, 'runs/run/config.json'), 'utf8'))

  it('says what is expected, and picks the micro-batch', async () => {
    expect(await cli('grpo', join(dir, 'run.yaml'), '--beta', '0.01')).toBe(0)
    expect(printed.err).toMatch('plan: 5.00 GB of 6.00 GB of memory; 6 steps of at most 2.00 s, 12s in all')
    expect(planned.asked).toMatchObject([{ beta: 0.01, numGenerations: 4 }])
    expect(config().args.tokensPerMicroBatch).toBe(77)
  })

  it('refuses a run that does not fit, with the numbers and the cure, before anything is written', async () => {
    planned.fits = false
    expect(await cli('grpo', join(dir, 'run.yaml'))).toBe(2)
    expect(printed.err).toBe(
      'error: [plan] this run needs 5.00 GB of memory at its peak, in the gradient pass, and 4.00 GB are available: weights 3.00 GB, activations 2.00 GB. Lower it by beta: 0 (3.50 GB, fits); --ignore-plan starts it all the same.\n',
    )
    expect(existsSync(join(dir, 'runs'))).toBe(false)
  })

  it('is left out on request', async () => {
    planned.fits = false
    expect(await cli('grpo', join(dir, 'run.yaml'), '--ignore-plan')).toBe(0)
    expect(planned.asked).toEqual([])
    expect(config().args.tokensPerMicroBatch).toBe(8192)
  })

  it('goes on with the micro-batches that a run began with', async () => {
    expect(await cli('grpo', join(dir, 'run.yaml'), '--max-steps', '2', '--tokens-per-micro-batch', '33')).toBe(0)
    expect(await cli('grpo', join(dir, 'run.yaml'), '--max-steps', '4', '--resume')).toBe(0)
    expect(planned.asked).toMatchObject([{ tokensPerMicroBatch: 33 }, { tokensPerMicroBatch: 77 }])
  })
})

describe('vsgrpo sft', () => {
  it('trains on given answers', async () => {
    put('run.yaml', 'model: model\ntrainDataset: rows.jsonl\nargs: { maxSteps: 3, outputDir: out }\n')
    expect(await cli('sft', join(dir, 'run.yaml'))).toBe(0)
    expect(steps('out')).toEqual([1, 2, 3])
    expect(readFileSync(join(dir, 'out/report.html'), 'utf8')).toContain('<b>Loss</b>')
  })
})

describe('vsgrpo generate and score', () => {
  it('answer every row, the same with the same seed, and score the answers as they were sampled', async () => {
    const [input, output, scores] = [join(dir, 'rows.jsonl'), join(dir, 'out.jsonl'), join(dir, 'scores.jsonl')]
    const model = ['--model', join(dir, 'model')]
    const generate = [
      'generate',
      ...model,
      '--input',
      input,
      '--max-new-tokens',
      '5',
      '--num-generations',
      '2',
      '--seed',
      '7',
    ]
    expect(await cli(...generate, '--output', output)).toBe(0)
    const first = readFileSync(output, 'utf8')
    expect(await cli(...generate, '--output', output)).toBe(0)
    expect(readFileSync(output, 'utf8')).toBe(first)
    const rows = readLines(output)
    expect(rows).toHaveLength(4)
    expect(Object.keys(rows[0] ?? {})).toEqual(['completions'])
    expect(rows[0]?.completions).toHaveLength(2)
    expect(rows[0]).toMatchObject({
      completions: [{ text: expect.any(String), finishReason: expect.stringMatching(/stop|length/) }, {}],
    })

    expect(await cli('score', ...model, '--input', input, '--output', scores)).toBe(0)
    const [scored] = readLines(scores)
    expect(scored).toMatchObject({ promptTokens: 5, completionIds: [24] })
    expect(scored?.logps).toEqual([expect.closeTo(Math.log(1 / 29), 5)])
  })

  it('write to stdout when no output is named, and only rows', async () => {
    expect(
      await cli('generate', '--model', join(dir, 'model'), '--input', join(dir, 'rows.jsonl'), '--max-new-tokens', '2'),
    ).toBe(0)
    const lines = printed.out.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('completions')
  })

  it('name the row whose prompt is longer than the model allows, and write nothing', async () => {
    put('long.jsonl', `${JSON.stringify({ messages: [{ role: 'user', content: 'a'.repeat(100) }] })}\n`)
    const output = join(dir, 'out.jsonl')
    expect(
      await cli('generate', '--model', join(dir, 'model'), '--input', join(dir, 'long.jsonl'), '--output', output),
    ).toBe(2)
    expect(printed.err).toMatch(/long.jsonl:1: the prompt has 100 tokens, the model allows 64/)
    expect(existsSync(output)).toBe(false)
  })

  it('refuse answers that are longer than the model allows, before memory is asked for', async () => {
    const words = ['--model', join(dir, 'model'), '--input', join(dir, 'rows.jsonl'), '--max-new-tokens', '100000000']
    expect(await cli('generate', ...words)).toBe(2)
    expect(printed.err).toMatch(/^error: --max-new-tokens 100000000: the model allows 64 tokens, .*; give fewer\n$/)
  })

  it('say at Ctrl-C that nothing is kept', async () => {
    const output = join(dir, 'out.jsonl')
    const rows = Array.from({ length: 3000 }, () => JSON.stringify({ messages: [{ role: 'user', content: 'a' }] }))
    put('many.jsonl', rows.join('\n'))
    setTimeout(() => process.emit('SIGINT'), 100)
    const words = ['--model', join(dir, 'model'), '--input', join(dir, 'many.jsonl'), '--output', output]
    expect(await cli('generate', ...words)).toBe(130)
    expect(printed.err).toMatch(/interrupted: \d+ of 3000 rows were done; \S+out.jsonl is not written, as it would/)
  })
})
