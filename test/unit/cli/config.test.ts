// Reading a run's configuration: names in any case, overrides, and messages that name cause and cure.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bare, parseOverrides, readConfig, type Shape } from '../../../src/cli/config.js'
import { InputError } from '../../../src/errors.js'

const shape: Shape = {
  model: null,
  trainDataset: null,
  rewardFuncs: null,
  lora: { r: null, alpha: null },
  args: { learningRate: null, numGenerations: null, outputDir: null },
}
const folder = mkdtempSync(join(tmpdir(), 'config-'))

function write(text: string): string {
  const file = join(folder, 'run.yaml')
  writeFileSync(file, text)
  return file
}

function mistake(text: string, overrides: string[] = []): string {
  try {
    readConfig(write(text), overrides, shape)
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return error instanceof Error ? error.message.replace(folder, '') : ''
  }
  return 'no error'
}

describe('readConfig', () => {
  it('takes snake_case, kebab-case and camelCase for the same name', () => {
    const text =
      'model: m\ntrain_dataset: a.jsonl\nargs:\n  learning-rate: 1e-6\n  num_generations: 4\n  outputDir: out\n'
    const config = readConfig(write(text), [], shape)
    expect(config.get('trainDataset')).toBe('a.jsonl')
    expect(config.section('args')).toEqual({ learningRate: 1e-6, numGenerations: 4, outputDir: 'out' })
  })

  it('takes options of args at the top as well, as a flat file of TRL has them', () => {
    expect(readConfig(write('learning_rate: 0.5\n'), [], shape).get('args.learningRate')).toBe(0.5)
  })

  it('lets the command line win, in every way of writing a name', () => {
    for (const words of [
      ['--learning-rate', '1e-6'],
      ['--learningRate=1e-6'],
      ['--args.learningRate', '1e-6'],
      ['--args.learning_rate', '1e-6'],
    ]) {
      expect(readConfig(write('args:\n  learningRate: 1\n'), words, shape).get('args.learningRate')).toBe(1e-6)
    }
  })

  it('starts relative paths at the file, and those of the command line at the working directory', () => {
    const config = readConfig(write('model: m\ntrainDataset: d\n'), ['--model', 'x'], shape)
    expect(config.path('trainDataset', 'd')).toBe(join(folder, 'd'))
    expect(config.path('model', 'x')).toBe(join(process.cwd(), 'x'))
  })

  it('keeps values below a known name together and takes a single value for it too', () => {
    expect(readConfig(write('lora: { r: 8 }\n'), [], shape).section('lora')).toEqual({ r: 8 })
    expect(readConfig(write('lora: false\n'), [], shape).get('lora')).toBe(false)
  })

  it('takes names and values below a name from the command line, as from the file', () => {
    const lora = (text: string, ...words: string[]) => {
      const config = readConfig(write(text), words, shape)
      return [config.get('lora'), config.section('lora')]
    }
    expect(lora('model: m\n', '--lora', '{ r: 8 }')).toEqual([undefined, { r: 8 }])
    expect(lora('lora: { r: 4, alpha: 2 }\n', '--lora={ r: 8 }')).toEqual([undefined, { r: 8, alpha: 2 }])
    expect(lora('lora: false\n', '--lora', '{ r: 8 }')).toEqual([undefined, { r: 8 }])
    expect(lora('lora: false\n', '--lora.r', '8')).toEqual([undefined, { r: 8 }])
    expect(readConfig(write('model: m\n'), ['--args', '{ learning_rate: 1 }'], shape).get('args.learningRate')).toBe(1)
  })
})

describe('a mistake in a configuration', () => {
  it('is told with line, name and the nearest name', () => {
    expect(mistake('model: m\nargs:\n  learning_rat: 1\n')).toBe(
      '/run.yaml:3: args.learning_rat: there is no such option; did you mean learningRate?',
    )
  })
  it('is told with all names when none is near', () => {
    expect(mistake('zzzzzz: 1\n')).toMatch(/run.yaml:1: zzzzzz: there is no such option; expected one of .*model/)
  })
  it('is told when it is below another name', () => {
    expect(mistake('lora:\n  alpa: 1\n')).toMatch('run.yaml:2: lora.alpa: there is no such option; did you mean alpha?')
  })
  it('is told when it stands on the command line', () => {
    expect(mistake('model: m\n', ['--num-generation', '4'])).toBe(
      '--num-generation: there is no such option; did you mean --num-generations?',
    )
    expect(mistake('model: m\n', ['--lora.alpa', '4'])).toBe(
      '--lora.alpa: there is no such option; did you mean --lora.alpha?',
    )
    expect(mistake('model: m\n', ['--lora', '{ alpa: 4 }'])).toMatch(/^--lora.alpa: .*; did you mean --lora.alpha\?$/)
    expect(mistake('model: m\n', ['--lora', '8'])).toMatch(/^--lora: expected names and values, as in .*, got 8/)
    expect(mistake('model: m\n', ['--lora'])).toMatch(/^--lora: expected names and values, as in .*, got no value/)
  })
  it('is told when a name stands twice in two ways of writing', () => {
    expect(mistake('args:\n  learning_rate: 1\n  learningRate: 2\n')).toBe(
      '/run.yaml:3: args.learningRate is set twice; remove one of them',
    )
  })
  it('is told with its line when the YAML is broken', () => {
    expect(mistake('model: m\nargs:\n  beta: [1, 2\nlora: 3\n')).toMatch(/^\/run.yaml:\d: not valid YAML: /)
  })
  it('is told when there is a second document', () => {
    expect(mistake('a: 1\n---\nb: 2\n')).toBe('/run.yaml:2: expected one configuration, got another after ---')
  })
  it('is told when a tab indents', () => {
    expect(mistake('args:\n\tbeta: 1\n')).toMatch(/^\/run.yaml:2: not valid YAML: .*[Tt]ab/)
  })
  it('is told when the file is empty or a list', () => {
    expect(mistake('')).toMatch('run.yaml: expected names and values such as "model: path/to/model", got an empty file')
    expect(mistake('- a\n')).toMatch('got something else')
  })
  it('is told when there is no such file', () => {
    expect(() => readConfig(join(folder, 'none.yaml'), [], shape)).toThrow(
      /cannot read .*none.yaml: .*name the configuration file/,
    )
  })
  it('is told when a second file is named', () => {
    expect(mistake('model: m\n', ['other.yaml'])).toBe(
      'other.yaml: expected --name value; one configuration file comes first, then overrides',
    )
  })
  it('is told when a value cannot be read', () => {
    expect(mistake('model: m\n', ['--model', '[a'])).toMatch(/^--model \[a: not a value: .*; put it in quotes$/)
  })
})

describe('parseOverrides', () => {
  it('reads numbers, switches, lists and negative numbers', () => {
    expect(parseOverrides(['--a', '-1', '--b', '--no-c', '--d=[1, x]', '--e', '1e-6', '--f', 'true'])).toEqual([
      ['a', -1],
      ['b', bare],
      ['c', false],
      ['d', [1, 'x']],
      ['e', 1e-6],
      ['f', true],
    ])
  })
})
