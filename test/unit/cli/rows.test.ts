// Rows in, rows out: order, batching, and nothing half-written.
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkLength, type InputRow, mapRows, type RowsOptions } from '../../../src/cli/rows.js'
import { jsonl } from '../../../src/data/index.js'
import { AbortedError, InputError } from '../../../src/errors.js'
import type { PolicyProcessor } from '../../../src/policy.js'
import type { Prompt } from '../../../src/types.js'

const prompt: Prompt = {
  ids: new Int32Array(7),
  positions: new Int32Array(21),
  nextPosition: 7,
  media: [],
  sharedLength: 0,
}
const processor: PolicyProcessor = {
  eosIds: new Int32Array([1]),
  maxPositions: 10,
  prompt: async (messages, context) => {
    if (messages[0]?.content === 'bad') throw new InputError(`${context?.where}: x.png: no such image`)
    return prompt
  },
  encode: (text) => new Int32Array(text.length),
  decode: () => '',
}

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rows-'))
})

function options(contents: readonly string[], change: Partial<RowsOptions> = {}): RowsOptions & { sizes: number[] } {
  const file = join(dir, 'in.jsonl')
  writeFileSync(
    file,
    contents.map((content) => `${JSON.stringify({ messages: [{ role: 'user', content }] })}\n`).join(''),
  )
  const sizes: number[] = []
  const answer = async (rows: readonly InputRow[]): Promise<object[]> => {
    sizes.push(rows.length)
    return rows.map((row) => ({ index: row.index }))
  }
  const output = join(dir, 'out.jsonl')
  const { signal } = new AbortController()
  return { input: jsonl(file), processor, output, answer, signal, say: () => undefined, sizes, ...change }
}

describe('mapRows', () => {
  it('answers many rows in few parts and writes them in order', async () => {
    const given = options(Array.from({ length: 600 }, (_, i) => `question ${i}`))
    await mapRows(given)
    expect(given.sizes).toEqual([256, 256, 88])
    const written = readFileSync(given.output, 'utf8').trimEnd().split('\n')
    expect(written.map((line) => JSON.parse(line).index)).toEqual(Array.from({ length: 600 }, (_, i) => i))
  })

  it('leaves no output, and an older one as it was, when a late row is bad', async () => {
    const given = options([...Array.from({ length: 300 }, () => 'good'), 'bad'])
    await expect(mapRows(given)).rejects.toThrow(/in.jsonl:301: x.png: no such image/)
    expect(readdirSync(dir)).toEqual(['in.jsonl'])
    writeFileSync(given.output, 'old')
    await expect(mapRows(given)).rejects.toThrow(InputError)
    expect(readFileSync(given.output, 'utf8')).toBe('old')
  })

  it('says at Ctrl-C that what was done is not kept', async () => {
    const controller = new AbortController()
    const answer = async (rows: readonly InputRow[]): Promise<object[]> => {
      controller.abort()
      return rows.map(() => ({}))
    }
    const { signal } = controller
    const given = options(
      Array.from({ length: 300 }, () => 'good'),
      { signal, answer },
    )
    await expect(mapRows(given)).rejects.toThrow(/^256 of 300 rows were done; \S+out.jsonl is not written, as it would/)
    await expect(mapRows({ ...given, output: '-' })).rejects.toThrow(/^0 of 300 rows were done; nothing is written/)
  })

  it('ends at Ctrl-C without output', async () => {
    const controller = new AbortController()
    controller.abort()
    const given = options(['good'], { signal: controller.signal })
    await expect(mapRows(given)).rejects.toThrow(AbortedError)
    expect(existsSync(given.output)).toBe(false)
  })
})

describe('checkLength', () => {
  it('names the row, the lengths and the cure when the model allows fewer tokens', () => {
    const row: InputRow = { index: 0, example: { messages: [] }, prompt, where: 'in.jsonl:4' }
    expect(() => checkLength(row, 3, processor)).not.toThrow()
    expect(() => checkLength(row, 4, processor)).toThrow(
      'in.jsonl:4: the prompt has 7 tokens and its completion 4, the model allows 10; use fewer or smaller frames or a shorter text',
    )
  })
})
