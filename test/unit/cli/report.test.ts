// `vsgrpo report`: one run as ever, several over each other; paths to stdout, what is left out to stderr.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { runCommandLine } from '../../../src/cli/program.js'
import { keepPrinted } from '../../printed.js'

const printed = keepPrinted()
let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'report-'))
  for (const [name, beta] of Object.entries({ a: 0, b: 1 })) {
    mkdirSync(join(dir, name))
    writeFileSync(join(dir, name, 'config.json'), JSON.stringify({ algorithm: 'grpo', args: { beta } }))
    writeFileSync(join(dir, name, 'metrics.jsonl'), '{"step":1,"reward":0.5}\n')
  }
})

async function report(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  Object.assign(printed, { out: '', err: '' })
  const code = await runCommandLine(['report', ...args.map((arg) => arg.replace('RUNS', dir))])
  return { code, out: printed.out.replaceAll(dir, 'RUNS'), err: printed.err.replaceAll(dir, 'RUNS') }
}

const read = (file: string): string => readFileSync(join(dir, file), 'utf8')

it('writes the report of one run into its folder, or where it is told to', async () => {
  expect(await report('RUNS/a')).toEqual({ code: 0, out: 'RUNS/a/report.html\n', err: '' })
  expect(read('a/report.html')).toContain('vsgrpo training report')
  expect((await report('RUNS/a', '--output', 'RUNS/x.html')).out).toBe('RUNS/x.html\n')
  expect(read('x.html')).toBe(read('a/report.html'))
})

it('writes a comparison beside several, and names what it left out', async () => {
  mkdirSync(join(dir, 'c'))
  const { code, out, err } = await report('RUNS/a', 'RUNS/b', 'RUNS/c')
  expect({ code, out }).toEqual({ code: 0, out: 'RUNS/comparison.html\n' })
  expect(err).toMatch(/^warning: RUNS\/c is left out: not a run folder [^\n]*\n$/)
  expect(read('comparison.html')).toContain('2 runs of 2 configurations')
  expect(existsSync(join(dir, 'a/report.html'))).toBe(false)
})

it('writes Markdown where it is asked for, also of one run', async () => {
  expect((await report('RUNS/a', 'RUNS/b', '--markdown')).out).toBe('RUNS/comparison.md\n')
  expect(read('comparison.md')).toMatch(/^# report-/)
  expect((await report('RUNS/a', '--output', 'RUNS/one.md')).out).toBe('RUNS/one.md\n')
  expect(read('one.md')).toContain('1 run of 1 configuration')
})

it('says what is wrong with what it was given, and how to name the runs of a folder', async () => {
  expect((await report('RUNS')).err).toMatch(/^error: RUNS: not a run folder \(.*\); the runs in it are RUNS\/\*\n$/)
  expect((await report('RUNS/a/config.json')).err).toMatch(
    /config\.json: a file, not a run folder; give the run folder/,
  )
  expect((await report('RUNS/x', 'RUNS/y')).err).toMatch(
    /^error: no run to compare: RUNS\/x: no such folder; .*RUNS\/y/,
  )
  expect(await report()).toEqual({
    code: 2,
    out: '',
    err: "error: missing required argument 'runs'; see vsgrpo report --help\n",
  })
})
