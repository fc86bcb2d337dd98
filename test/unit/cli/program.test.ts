/** The command line as a user meets it, in this process: help, mistakes, exit codes. */
import { CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { exitCodeOf, reportError } from '../../../src/cli/exit.js'
import { AbortedError, InputError, VsgrpoError } from '../../../src/errors.js'
import { runCli } from '../../printed.js'

function report(error: unknown, env: NodeJS.ProcessEnv = {}): string[] {
  const lines: string[] = []
  reportError(error, (line) => lines.push(line), env)
  return lines
}

describe('the command line', () => {
  it('lists every command in --help, on stdout', async () => {
    const { code, out, err } = await runCli('--help')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const name of ['setup', 'doctor', 'grpo', 'sft', 'generate', 'score', 'rooms', 'report']) {
      expect(out).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'))
    }
  })

  it('prints the help to stderr and exits with 2 when it is called with nothing', async () => {
    const { code, out, err } = await runCli()
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch('Usage: vsgrpo')
  })

  it('prints the version of package.json', async () => {
    expect(await runCli('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  it('suggests the nearest command and exits with 2', async () => {
    const { code, err } = await runCli('doctr')
    expect(code).toBe(2)
    expect(err).toMatch(/unknown command 'doctr'; did you mean doctor\?\n$/)
  })

  it('suggests the nearest option of a command and exits with 2', async () => {
    const { code, err } = await runCli('setup', '--test')
    expect(code).toBe(2)
    expect(err).toMatch(/unknown option '--test'; did you mean --tests\?\n$/)
  })

  it('names a mistyped required option rather than the missing one', async () => {
    const { code, err } = await runCli('generate', '--modle', 'dir', '--input', 'in.jsonl')
    expect(code).toBe(2)
    expect(err).toBe("error: unknown option '--modle'; did you mean --model?\n")
    expect((await runCli('generate', '--modle=dir')).err).toBe(
      "error: unknown option '--modle=dir'; did you mean --model?\n",
    )
    expect((await runCli('--versoin')).err).toBe("error: unknown option '--versoin'; did you mean --version?\n")
    const missing = await runCli('generate', '--input', 'in.jsonl')
    expect(missing.code).toBe(2)
    expect(missing.err).toMatch(/--model .*missing/)
  })

  it('explains a command with exit code 0', async () => {
    expect(await runCli('setup', '--help')).toMatchObject({ code: 0, out: expect.stringMatching('VSGRPO_LIBTORCH') })
  })
})

describe('exit codes', () => {
  it('are 2 for bad input, 1 for other failures, 130 for interruptions, 0 for help', () => {
    expect(exitCodeOf(new InputError('bad'))).toBe(2)
    expect(exitCodeOf(new VsgrpoError('full', { code: 'ERR_VSGRPO_SAVE' }))).toBe(1)
    expect(exitCodeOf(new TypeError('defect'))).toBe(1)
    expect(exitCodeOf(new AbortedError())).toBe(130)
    expect(exitCodeOf(new DOMException('stop', 'AbortError'))).toBe(130)
    expect(exitCodeOf(Object.assign(new Error('stop'), { code: 'ABORTED' }))).toBe(130)
    expect(exitCodeOf(new CommanderError(0, 'commander.help', ''))).toBe(0)
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', ''))).toBe(2)
  })
})

describe('what is printed for an error', () => {
  it('is one line with its cure for bad input', () => {
    expect(report(new InputError('a.jsonl:3: no messages', { hint: 'Add them.' }))).toEqual([
      'error: a.jsonl:3: no messages. Add them.',
    ])
  })

  it('is one line for what the addon refuses', () => {
    const refused = Object.assign(new Error('[model.safetensors] has no tensor x'), { code: 'BAD_CHECKPOINT' })
    expect(report(refused)).toEqual([expect.stringMatching(/^error: \[model\.safetensors\] has no tensor x\. Fetch/)])
    expect(exitCodeOf(refused)).toBe(2)
    expect(exitCodeOf(Object.assign(new Error('full'), { code: 'IO' }))).toBe(1)
  })

  it('does not repeat a cure that the message names', () => {
    expect(report(new VsgrpoError('gone. Run x', { code: 'ERR_VSGRPO_SETUP', hint: 'Run x' }))).toHaveLength(1)
  })

  it('has the stack for a defect, and for everything when VSGRPO_DEBUG is set', () => {
    expect(report(new TypeError('defect')).join('\n')).toMatch(/TypeError: defect\n\s+at /)
    expect(report(new InputError('bad'), { VSGRPO_DEBUG: '1' }).join('\n')).toMatch(/bad\n\s+at /)
    const caused = new VsgrpoError('threw', { code: 'ERR_VSGRPO_REWARD', cause: new Error('boom') })
    expect(report(caused, { VSGRPO_DEBUG: '1' }).join('\n')).toMatch(/caused by: Error: boom\n\s+at /)
  })
})
