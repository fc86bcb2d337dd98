// What a new user types wrong: every message says where, what is wrong, and what to do; nothing is silently passed over.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readState } from '../../../src/train/checkpoint.js'
import { runCli } from '../../printed.js'

const dir = mkdtempSync(join(tmpdir(), 'mistakes-'))

function put(name: string, content: string): string {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}

/** The one line that a command line is answered with, which exits with 2; without the folder of the test. */
async function mistake(...args: string[]): Promise<string> {
  const { code, out, err } = await runCli(...args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^error: [^\n]+\n$/)
  return err.slice(7).trimEnd().replaceAll(`${dir}/`, '')
}

put('rows.jsonl', '{"messages":[{"role":"user","content":"How many?"}],"answer":"3","completion":"3"}\n')
const base = ['model: none', 'trainDataset: rows.jsonl']
const grpo = (...lines: string[]): string => put('grpo.yaml', [...base, 'rewardFuncs: [accuracy]', ...lines].join('\n'))

describe('a command line that names', () => {
  it('an unknown command is told the commands', async () => {
    expect(await mistake('trian')).toMatch(/^unknown command 'trian'; expected one of setup, doctor, grpo, .*report$/)
    expect(await mistake('repord')).toBe("unknown command 'repord'; did you mean report?")
  })

  it('too much or too little is sent to the help of its command', async () => {
    expect(await mistake('doctor', 'x')).toMatch(/too many arguments.*; see vsgrpo doctor --help$/)
    expect(await mistake('grpo')).toBe("missing required argument 'config.yaml'; see vsgrpo grpo --help")
    expect(await mistake('rooms', '--count')).toBe("option '--count <n>' argument missing; see vsgrpo rooms --help")
    expect(await mistake('rooms', '--count', '1.5')).toMatch(
      /argument '1\.5' is invalid\. Expected an integer of at least 1\.$/,
    )
    expect(await mistake('--zzz')).toBe("unknown option '--zzz'; see vsgrpo --help")
  })

  it('an empty text is told that it is one', async () => {
    const told = ': expected a value, got an empty text; give one, or leave the option out'
    expect(await mistake('rooms', '--output', '', '--count', '1')).toBe(`--output <dir>${told}`)
    expect(await mistake('generate', '--model', 'm', '--input', 'x', '--output', '')).toBe(`--output <file>${told}`)
    expect(await mistake('grpo', grpo(), '--output-dir', '')).toBe(`--output-dir${told}`)
  })

  it('an unknown kind of question is told the kinds', async () => {
    const told = await mistake('rooms', '--output', join(dir, 'r'), '--count', '1', '--tasks', 'zzz')
    expect(told).toMatch(/^--tasks: expected one of object_counting, .*obj_appearance_order, got 'zzz'$/)
  })

  it('labels that are not there is told before the scenes are read', async () => {
    expect(await mistake('questions', '--scenes', 'none.json', '--labels', 'gone.tsv')).toMatch(
      /^--labels gone\.tsv: there is no such file; give scannetv2-labels/,
    )
  })
})

describe('a configuration', () => {
  it('that is not there, a folder, or a data file is told apart', async () => {
    const cure = 'name the configuration file of the run first'
    expect(await mistake('sft', join(dir, 'gone.yaml'))).toBe(`cannot read gone.yaml: there is no such file; ${cure}`)
    expect(await mistake('sft', `${dir}/`)).toMatch(/: that is a folder; name the configuration/)
    const rows = put('two.jsonl', '{"a": 1}\n{"a": 2}\n')
    expect(await mistake('sft', rows)).toMatch(/two\.jsonl:2: not valid YAML: .*; one "name: value" a line/)
  })

  it('in which a group of options is given a value is refused instead of losing it', async () => {
    expect(await mistake('grpo', grpo('args: 3'))).toMatch(
      /^grpo\.yaml:4: args: expected names and values, as in \{ outputDir: … \}, got 3; the others are /,
    )
    expect(await mistake('grpo', grpo('args: [1]'))).toMatch(/args: expected names and values, .* got \[1\]/)
    expect(await mistake('grpo', grpo('lora: 16'))).toMatch(/lora: expected names and values, as in \{ r: … \}, got 16/)
    expect(await mistake('grpo', grpo(), '--lora')).toMatch(/^--lora: expected names and values, .* got no value/)
    expect(await mistake('grpo', grpo('sampling: 4'))).toMatch(/sampling: expected names and values/)
    expect(await mistake('dpo', put('dpo.yaml', base.join('\n')))).toBe(
      'rows.jsonl:1: chosen, rejected: expected two answers, got a question with its answer; ' +
        'give both, or have wrong answers made: pairs: { hardness: hard }',
    )
    expect(await mistake('dpo', put('dpo.yaml', [...base, 'pairs: hard'].join('\n')))).toMatch(
      /pairs: expected names and values, as in \{ hardness: … \}, got "hard"/,
    )
  })

  it('with an unknown name says which there are, those of args apart', async () => {
    const told = await mistake('sft', put('sft.yaml', [...base, 'rewardFuncs: [accuracy]'].join('\n')))
    expect(told).toMatch(
      /rewardFuncs: there is no such option; expected one of .*model.*; or below args: .*learningRate/,
    )
  })

  it('is overridden by options that errors repeat as they were written', async () => {
    expect(await mistake('grpo', grpo(), '--learning-rate', 'fast')).toMatch(/^--learning-rate: expected a number/)
    expect(await mistake('grpo', grpo(), '--args.beta', '-1')).toMatch(/^--args\.beta: expected a number/)
    for (const words of [['--resume=3'], ['--resume', grpo()]]) {
      expect(await mistake('grpo', grpo(), ...words)).toMatch(/Expected the folder of a checkpoint, or nothing for/)
    }
    expect(await mistake('grpo', grpo(), '--resume', dir)).toMatch(/is not a checkpoint of a run: cannot read/)
  })

  it('whose outputDir is a file is refused before the model is read', async () => {
    expect(await mistake('grpo', grpo('args: { outputDir: rows.jsonl }'))).toBe(
      'rows.jsonl: expected a folder for the run, got a file; give another --output-dir',
    )
  })
})

describe('a reward', () => {
  const told = (name: string) => mistake('grpo', grpo(), '--reward-funcs', `${dir}/${name}`)

  it('whose file is missing, no module, or broken says so', async () => {
    put('broken.mjs', 'export const a = (')
    mkdirSync(join(dir, 'folder'), { recursive: true })
    expect(await told('gone.mjs#a')).toMatch(/there is no file gone\.mjs; a path starts from the configuration/)
    expect(await told('rows.jsonl#a')).toMatch(/expected a module \(\.mjs, \.js\) .* got rows\.jsonl; write/)
    expect(await told('folder/')).toMatch(/expected a module .* got folder; write/)
    expect(await mistake('grpo', grpo(), '--reward-funcs', 'zzz')).toMatch(/overlong:512:128\. A reward of your own/)
    expect(await told('broken.mjs#a')).toMatch(
      /cannot load broken\.mjs: .*\. Fix the file; node broken\.mjs shows more\.$/,
    )
  })
})

describe('a folder', () => {
  it('that is no model says what belongs there', async () => {
    mkdirSync(join(dir, 'empty'), { recursive: true })
    const generate = (model: string) => mistake('generate', '--model', model, '--input', join(dir, 'rows.jsonl'))
    expect(await generate(join(dir, 'empty'))).toMatch(
      /empty is not a Hugging Face model folder: .*config\.json: there is no such file\. Give the folder that config\.json/,
    )
    expect(await generate(join(dir, 'rows.jsonl'))).toMatch(
      /got the file rows\.jsonl; give the folder that config\.json/,
    )
  })

  it('that is no checkpoint says how to go on', () => {
    expect(() => readState(join(dir, 'empty'))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/is not a checkpoint of a run: .*trainer\.json: there is no such file$/),
        hint: expect.stringMatching(/^Name another checkpoint/),
      }),
    )
  })
})
