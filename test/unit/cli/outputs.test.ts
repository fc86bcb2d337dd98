// No command writes over what it reads: refused before any work, under whatever name the file is given.
import { linkSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkOutputs } from '../../../src/cli/outputs.js'
import { runCli } from '../../printed.js'

const row = '{"id":1,"messages":[{"role":"user","content":"q"}],"completion":"a"}\n'
let dir = ''
const at = (name: string): string => join(dir, name)
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'outputs-'))
  mkdirSync(at('rows'))
  for (const name of ['in.jsonl', 'rows/train.jsonl']) writeFileSync(at(name), row)
  linkSync(at('in.jsonl'), at('hard.jsonl'))
  symlinkSync('in.jsonl', at('soft.jsonl'))
})

async function mistake(...args: string[]): Promise<string> {
  const { code, err } = await runCli(...args)
  expect(code).toBe(2)
  expect(err).toMatch(/^error: [^\n]+\n$/)
  return err.slice(7).trimEnd().replaceAll(`${dir}/`, '')
}

describe.each(['generate', 'score'])('vsgrpo %s', (command) => {
  it.each(['in.jsonl', 'hard.jsonl', 'soft.jsonl', 'rows/../in.jsonl'])(
    'does not write over its input: %s',
    async (name) => {
      const told = await mistake(command, '--model', 'none', '--input', at('in.jsonl'), '--output', `${dir}/${name}`)
      expect(told).toMatch(/^--output \S+: that is the input.*, which would be lost; name another file$/)
      expect(readFileSync(at('in.jsonl'), 'utf8')).toBe(row)
    },
  )

  it('does not write over a file of the folder that it reads', async () => {
    const told = await mistake(command, '--model', 'none', '--input', at('rows'), '--output', at('rows/train.jsonl'))
    expect(told).toMatch(/that is the input, which would be lost/)
  })

  it('does not load a model for an output that is a folder', async () => {
    const told = await mistake(command, '--model', 'none', '--input', at('in.jsonl'), '--output', dir)
    expect(told).toMatch(/that is a folder; name a file, e\.g\. out\.jsonl$/)
  })
})

it('other commands keep what they read, too', async () => {
  const same = ['--output', at('in.jsonl')]
  expect(await mistake('questions', '--scenes', at('in.jsonl'), ...same)).toMatch(/that is the input/)
  expect(await mistake('questions', '--scenes', at('x'), '--answer', at('in.jsonl'), ...same)).toMatch(/is the input/)
  expect(await mistake('questions', '--scenes', at('soft.jsonl'), '--save-scenes', at('in.jsonl'))).toBe(
    '--save-scenes in.jsonl: that is the input soft.jsonl, which would be lost; name another file',
  )
  expect(await mistake('questions', '--scenes', at('x'), '--output', dir)).toMatch(/that is a folder; name a file/)
  const scores = ['eval', '--benchmark', 'vsi-bench', '--questions', at('in.jsonl'), '--predictions', at('rows')]
  expect(await mistake(...scores, ...same)).toMatch(/that is the input/)
  expect(await mistake('report', dir, '--output', at('metrics.jsonl'))).toMatch(/that is the input/)
})

it('two outputs do not go to one file, also where it is yet to be made', () => {
  symlinkSync('rows', at('link'))
  expect(() => checkOutputs({ '--a': at('rows/new'), '--b': at('link/new') }, [])).toThrow(
    /^--b .*new: --a goes there already; name another file$/,
  )
  expect(() =>
    checkOutputs({ '--a': at('rows/new'), '--b': '-', '--c': undefined }, [at('new'), undefined]),
  ).not.toThrow()
  expect(() => checkOutputs({ '--a': at('in.jsonl/new') }, [at('in.jsonl')])).not.toThrow()
})
