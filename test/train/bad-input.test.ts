/** Mistakes at the command line: one line that names the place and the cure, exit code 2, and nothing left behind. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { base, type Ended, readRows, scratch, vsgrpo, writeConfig, writeRows } from './cli.js'

const folder = scratch()
const ask = (content: unknown) => ({ messages: [{ role: 'user', content }], completion: '3', answer: '3', id: 'q' })
const show = (image: string) =>
  ask([
    { type: 'image', image },
    { type: 'text', text: 'How many chairs?' },
  ])

type Header = Record<string, { shape?: number[]; data_offsets?: number[] }>

/** A copy of the demo's checkpoint with one thing wrong. */
function brokenCheckpoint(name: string, change: { header?: (header: Header) => void; bytes?: number }): void {
  const dir = join(folder.dir, name)
  cpSync(base, dir, { recursive: true })
  const file = join(dir, 'model.safetensors')
  const whole = readFileSync(file)
  const size = Number(whole.readBigUInt64LE(0))
  const header = JSON.parse(whole.subarray(8, 8 + size).toString()) as Header
  change.header?.(header)
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const changed = Buffer.concat([length, text, whole.subarray(8 + size)])
  writeFileSync(file, changed.subarray(0, changed.length - (change.bytes ?? 0)))
}

beforeAll(() => {
  const { dir } = folder
  brokenCheckpoint('llama', {})
  const config: object = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'))
  writeFileSync(join(dir, 'llama', 'config.json'), JSON.stringify({ ...config, model_type: 'llama' }))
  brokenCheckpoint('lacking', { header: (header) => delete header['model.norm.weight'] })
  brokenCheckpoint('turned', { header: (header) => header['model.layers.0.mlp.down_proj.weight']?.shape?.reverse() })
  brokenCheckpoint('short', { bytes: 5000 })
  mkdirSync(join(dir, 'bare'))
  for (const name of readdirSync(base).filter((file) => !file.endsWith('.safetensors')))
    copyFileSync(join(base, name), join(dir, 'bare', name))
  writeFileSync(join(dir, 'text.png'), 'not an image')
  writeRows(join(dir, 'good.jsonl'), [ask('How many?')])
  writeRows(join(dir, 'torn.jsonl'), [ask('How many?'), '{"messages": ['])
  writeRows(join(dir, 'field.jsonl'), [ask('How many?'), { mesages: [] }])
  writeRows(join(dir, 'text-image.jsonl'), [ask('How many?'), show('text.png')])
  writeRows(join(dir, 'no-image.jsonl'), [ask('How many?'), show('gone.png')])
  writeRows(join(dir, 'pad.jsonl'), [ask('How many?'), ask('a <|image_pad|> b')])
  writeRows(join(dir, 'long.jsonl'), [ask('How many?'), ask('chair '.repeat(3000))])
})

/** One line on stderr, exit code 2, no output and no temporary file. */
function expectMistake({ code, out, err }: Ended, message: RegExp): void {
  expect(err).toMatch(message)
  expect(err.trimEnd().split('\n')).toHaveLength(1)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(readdirSync(folder.dir).filter((name) => /^(out\.jsonl|run$)|\.tmp/.test(name))).toEqual([])
}

const checkpoints: [string, RegExp][] = [
  ['nowhere', /no folder .*nowhere.*give the path/],
  ['llama', /llama.config\.json: model_type: expected "qwen2_vl", got "llama"; only Qwen2-VL/],
  ['bare', /bare has no weights: expected model\.safetensors.*download/],
  ['lacking', /lacking.* missing tensor model\.norm\.weight.*Fetch the model again/],
  ['turned', /turned.model\.safetensors.*mlp\.down_proj\.weight.*expected shape \[128, 384\], got \[384, 128\].*Fetch/],
  ['short', /short.model\.safetensors.*lies outside the file.*Fetch the model again/],
]

const inputs: [string, RegExp][] = [
  ['gone.jsonl', /cannot read \S*gone\.jsonl.*give the path/],
  ['torn.jsonl', /torn\.jsonl:2: not a JSON object.*one whole object per line/],
  [
    'field.jsonl',
    /field\.jsonl:2: messages: expected a list of messages, or the columns prompt \(TRL\), .*, got mesages/,
  ],
  ['text-image.jsonl', /text-image\.jsonl:2: \S*text\.png: not a readable image.*Give an undamaged JPEG, PNG/],
  ['no-image.jsonl', /no-image\.jsonl:2: \S*gone\.png: file not found.*relative to the data file/],
  ['pad.jsonl', /pad\.jsonl:2: 1 image placeholders for 0 images.*Add the missing image part, or remove/],
  ['long.jsonl', /long\.jsonl:2: the prompt has \d+ tokens, the model allows 2048.*shorter text/],
]

describe.each(['generate', 'score'])('%s', (command) => {
  const run = (model: string, input: string) =>
    vsgrpo(folder.dir, command, '--model', model, '--input', input, '--output', 'out.jsonl')

  it.each(checkpoints)('refuses the checkpoint %s', async (model, message) => {
    expectMistake(await run(model, 'good.jsonl'), message)
  })

  it.each(inputs)('refuses the input %s', async (input, message) => {
    expectMistake(await run(base, input), message)
  })

  it('suggests the nearest option', async () => {
    expectMistake(
      await vsgrpo(folder.dir, command, '--modle', base),
      /unknown option '--modle'; did you mean --model\?/,
    )
  })
})

it('a score without a completion is refused', async () => {
  writeRows(join(folder.dir, 'prompt.jsonl'), [{ prompt: 'How many?' }])
  const ended = await vsgrpo(folder.dir, 'score', '--model', base, '--input', 'prompt.jsonl')
  expectMistake(ended, /prompt\.jsonl:1: completion: expected the text to score, got nothing; add/)
})

describe('grpo', () => {
  const run = (config: Parameters<typeof writeConfig>[2], ...words: string[]) => {
    const args = { outputDir: 'run', maxSteps: 1, perDeviceTrainBatchSize: 4, ...config.args }
    writeConfig(folder.dir, 'config', { trainDataset: 'good.jsonl', ...config, args })
    return vsgrpo(folder.dir, 'grpo', 'config.yaml', ...words)
  }

  it.each(checkpoints)('refuses the checkpoint %s', async (model, message) => {
    expectMistake(await run({ model }), message)
  })

  it.each(inputs.slice(0, 3))('refuses the dataset %s', async (trainDataset, message) => {
    expectMistake(await run({ trainDataset }), message)
  })

  it('suggests the nearest name of an option, in the file and on the command line', async () => {
    expectMistake(
      await run({ args: { learningRat: 1 } }),
      /config\.yaml:\d+: \S*learningRat: there is no such option; did you mean learningRate\?/,
    )
    expectMistake(await run({}, '--num-generation', '4'), /--num-generation: .*did you mean --num-generations\?/)
    expectMistake(await run({ modle: base }), /config\.yaml:\d+: modle: .*did you mean model\?/)
    expectMistake(await run({ rewardFuncs: ['acuracy'] }), /rewardFuncs.*acuracy; did you mean accuracy\?/)
  })

  it('names the place of a wrong value', async () => {
    expectMistake(await run({ args: { beta: -1 } }), /config\.yaml:\d+: args\.beta: expected .*, got -1/)
  })

  it.each(inputs.slice(3))('names the row of a prompt that cannot be made: %s', async (trainDataset, message) => {
    const { code, err } = await run({
      trainDataset,
      args: { shuffleDataset: false, perDeviceTrainBatchSize: 8, outputDir: 'tried' },
    })
    expect(err.trimEnd().split('\n').at(-1)).toMatch(message)
    expect(code).toBe(2)
  })

  it.each(inputs.slice(3))(
    'leaves out and counts the row of such a prompt where that is asked for: %s',
    async (trainDataset) => {
      const outputDir = `without-${trainDataset}`
      const own = { shuffleDataset: false, perDeviceTrainBatchSize: 8, onUnusableRow: 'skip', outputDir }
      const { code, err } = await run({ trainDataset, args: own }, '--ignore-plan')
      expect(err).toContain('1 of 2 rows are left out; the first: ')
      expect(err).toContain(`/${trainDataset}:2: `)
      expect(code, err).toBe(0)
      const [row] = readRows<{ skipped_rows: number }>(join(folder.dir, outputDir, 'metrics.jsonl'))
      expect(row?.skipped_rows).toBe(1)
    },
  )
})
