// Mistakes at the commands, as a user makes them: each is told in one line with cause and cure, and exits with 2.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from '../../../src/cli/config.js'
import { loadRewards } from '../../../src/cli/reward-funcs.js'
import { runCli } from '../../printed.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cli-'))
  put('rows.jsonl', '{"messages":[{"role":"user","content":"q"}],"answer":"a","completion":"a"}\n')
})

function put(file: string, text: string): string {
  writeFileSync(join(dir, file), text)
  return join(dir, file)
}

const run = (...lines: string[]): string => put('run.yaml', `${lines.join('\n')}\n`)
const good = ['model: none', 'trainDataset: rows.jsonl', 'rewardFuncs: [accuracy]']

/** The one line that a mistake in a GRPO configuration is told in. */
async function grpo(lines: string[], ...overrides: string[]): Promise<string> {
  const { code, out, err } = await runCli('grpo', run(...lines), ...overrides)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^error: [^\n]+\n$/)
  return err.slice(7).trimEnd().replaceAll(`${dir}/`, '')
}

describe('a mistake in the configuration of grpo', () => {
  it('names the line and the nearest option', async () => {
    expect(await grpo([...good, 'args:', '  num_generation: 4'])).toBe(
      'run.yaml:5: args.num_generation: there is no such option; did you mean numGenerations?',
    )
  })
  it('names the line and what the option takes', async () => {
    expect(await grpo([...good, 'args:', '  beta: lots'])).toBe(
      'run.yaml:5: args.beta: expected a number >= 0, got "lots"',
    )
    expect(await grpo(good, '--learning-rate', 'fast')).toBe('--learning-rate: expected a number >= 0, got "fast"')
    expect(await grpo(good, '--learning-rate')).toBe('--learning-rate: expected a number >= 0, got no value')
    expect(await grpo(good, '--model')).toBe('--model: expected a text, got no value')
    expect(await grpo(good, '--reward-weights')).toMatch(/one number per reward \(1\), got no value$/)
  })
  it('names the numbers that do not divide', async () => {
    expect(await grpo([...good, 'args: { numGenerations: 3 }'])).toMatch(
      /run.yaml: \[args\].* = 8: expected a multiple of numGenerations 3/,
    )
  })
  it('says which required name is missing and where to put it', async () => {
    expect(await grpo(good.slice(1))).toMatch(/run.yaml: model is missing: .*add it to the file or give --model/)
    expect(await grpo([good[0] ?? '', good[2] ?? ''])).toMatch(/trainDataset is missing: .*--train-dataset/)
  })
  it('names the nearest reward', async () => {
    expect(await grpo(['model: none', 'trainDataset: rows.jsonl', 'rewardFuncs: [acuracy]'])).toMatch(
      /^run.yaml:3: rewardFuncs: no built-in reward is called acuracy; did you mean accuracy\?/,
    )
  })
  it('counts the weights', async () => {
    expect(await grpo([...good, 'rewardWeights: [1, 2]'])).toBe(
      'run.yaml:4: rewardWeights: expected one number per reward (1), got [1,2]',
    )
  })
  it('names the missing data file, and the line and field of a bad row', async () => {
    expect(await grpo(['model: none', 'trainDataset: no.jsonl', 'rewardFuncs: accuracy'])).toMatch(
      /cannot read no.jsonl/,
    )
    put('rows.jsonl', '{"messages":[{"role":"user","content":"q"}]}\n{"messages":[{"role":"usr","content":"q"}]}\n')
    expect(await grpo(good)).toMatch(
      /rows.jsonl:2: messages\[0\].role: expected "system", "user" or "assistant", got "usr"/,
    )
  })
  it('names the devices', async () => {
    expect(await grpo([...good, 'device: gpu'])).toMatch(/run.yaml:4: device: .*auto, cpu.*cuda.*gpu/)
  })
  it('asks for the rank of LoRA', async () => {
    expect(await grpo([...good, 'lora: { alpha: 2 }'])).toMatch(/lora.r is missing: expected the rank/)
    expect(await grpo([...good, 'lora: { r: "16" }'])).toMatch(/run.yaml:4: lora.r: expected a number, got "16"$/)
    expect(await grpo([...good, 'lora: { r: 4, alpha: big }'])).toMatch(/lora.alpha: expected a number, got "big"$/)
  })
  it('says that there is nothing to resume, or that the folder holds a run already', async () => {
    expect(await grpo(good, '--resume')).toMatch(/runs\/run: no checkpoint to go on from; start without --resume/)
    put('metrics.jsonl', '{"step":1}\n')
    for (const words of [[], ['--resume']]) {
      expect(await grpo(good, '--output-dir', dir, ...words)).toMatch(
        /holds a run without a checkpoint to go on from: give another --output-dir/,
      )
    }
    for (const name of ['failed-step-9', 'failed-step-10', 'step-11.77.tmp']) {
      mkdirSync(join(dir, 'checkpoints', name), { recursive: true })
    }
    for (const words of [[], ['--resume']]) {
      expect(await grpo(good, '--output-dir', dir, ...words)).toMatch(
        /failed step: see the step again with --resume checkpoints\/failed-step-10, or give another --output-dir$/,
      )
    }
    mkdirSync(join(dir, 'checkpoints', 'step-1'), { recursive: true })
    expect(await grpo(good, '--output-dir', dir)).toMatch(
      /already holds a run: go on with --resume, give another --output-dir/,
    )
    expect(readFileSync(join(dir, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n')
  })
  it('is found before the model is looked for, also where options do not go together', async () => {
    expect(await grpo([...good, 'args: { metricForBestModel: eval_reward }'])).toBe(
      'run.yaml:4: args.metricForBestModel: needs evalDataset, evalSteps, outputDir and saveStrategy',
    )
    expect(await grpo([...good, 'lora: { r: 4 }', 'args:', '  syncRefModel: true'])).toBe(
      'run.yaml:6: args.syncRefModel: expected a model without lora, whose reference stays as it is',
    )
  })
  it('names the missing model and leaves no run folder', async () => {
    expect(await grpo(good)).toContain('none')
    expect(existsSync(join(dir, 'runs'))).toBe(false)
  })
})

describe('rewards of one’s own', () => {
  it('are imported by file and name, relative to the configuration', async () => {
    put('rewards.mjs', 'export const short = ({ text }) => (text.length < 3 ? 1 : 0)\nexport const number = 4\n')
    const config = (names: string) => readConfig(run(`rewardFuncs: ${names}`), [], { rewardFuncs: null })
    const [short, accuracy] = await loadRewards(config('["./rewards.mjs#short", accuracy_reward]'))
    expect([short?.name, accuracy?.name]).toEqual(['short', 'accuracy'])
    expect(await short?.({ text: 'ab', ids: new Int32Array(0), finishReason: 'stop', example: { messages: [] } })).toBe(
      1,
    )
    await expect(loadRewards(config('./rewards.mjs#number'))).rejects.toThrow(/does not export a function number/)
    await expect(loadRewards(config('./none.mjs#a'))).rejects.toThrow(
      /run.yaml:1: rewardFuncs: there is no file .*none.mjs/,
    )
    await expect(loadRewards(config('[]'))).rejects.toThrow(/expected a list of rewards, got nothing; e.g. \[accuracy/)
  })
})

describe('a mistake at another command', () => {
  const model = ['--model', 'none']
  it('says that a row has no completion to score', async () => {
    const input = put('in.jsonl', '{"messages":[{"role":"user","content":"q"}]}\n')
    const { code, err } = await runCli('score', ...model, '--input', input)
    expect(code).toBe(2)
    expect(err).toMatch(/in.jsonl:1: completion: expected the text to score, got nothing; add "completion"/)
  })
  it('says what is wrong with a number', async () => {
    const { code, err } = await runCli('generate', ...model, '--input', 'x', '--top-p', '2')
    expect(code).toBe(2)
    expect(err).toMatch(/--top-p <p>' argument '2' is invalid. Expected a number from 0 to 1/)
  })
  it('says what temperatures there are: that of the most likely token, and those that are sampled at', async () => {
    const temperature = (text: string) => runCli('generate', ...model, '--input', 'x', '--temperature', text)
    for (const text of ['0.0005', '1e7', '-1', 'hot']) {
      const { code, err } = await temperature(text)
      expect(code).toBe(2)
      expect(err).toMatch(`argument '${text}' is invalid. Expected 0 or a number from 0.001 to 1000000`)
    }
    for (const text of ['0', '0.001', '1e6']) expect((await temperature(text)).err).not.toMatch('invalid')
  })
  it('tells a mistyped option as such, also where a required one is missing for it', async () => {
    const { code, err } = await runCli('generate', '--modle', 'x')
    expect(code).toBe(2)
    expect(err).toMatch("unknown option '--modle'; did you mean --model?")
    expect((await runCli('rooms', '--count', '2')).err).toBe(
      'error: --output <dir> is missing: a new folder; see vsgrpo rooms --help\n',
    )
  })
  it('names the missing checkpoint and writes no output', async () => {
    const output = join(dir, 'out.jsonl')
    const { code, err } = await runCli('generate', ...model, '--input', join(dir, 'rows.jsonl'), '--output', output)
    expect(code).toBe(2)
    expect(err).toMatch(/^error: .*none/)
    expect(existsSync(output)).toBe(false)
  })
  it('names the devices', async () => {
    const { code, err } = await runCli('score', ...model, '--input', join(dir, 'rows.jsonl'), '--device', 'gpu')
    expect(code).toBe(2)
    expect(err).toMatch(/--device <name>' argument 'gpu' is invalid. Allowed choices are auto, cpu, cuda/)
  })
  it('names the nearest kind of question, and a report’s missing folder', async () => {
    const kinds = await runCli('rooms', '--output', join(dir, 'r'), '--count', '1', '--tasks', 'object_countin')
    expect(kinds.code).toBe(2)
    expect(kinds.err).toMatch(/--tasks: .*, got 'object_countin'; did you mean object_counting\?\n$/)
    const { code, err } = await runCli('report', join(dir, 'nowhere'))
    expect(code).toBe(2)
    expect(err).toMatch(/nowhere: no such folder; give the run folder/)
  })
  it('explains every command with an example', async () => {
    for (const name of ['grpo', 'sft', 'generate', 'score', 'rooms', 'report']) {
      const { code, out } = await runCli(name, '--help')
      expect(code).toBe(0)
      expect(out).toMatch(new RegExp(`Example:\\n  vsgrpo ${name} `))
    }
  })
})
