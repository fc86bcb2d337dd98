/** Ten thousand mutated JSON Lines files: rows, or an InputError that names the file and the line. Nothing else, and no hang. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jsonl } from '../../../src/data/jsonl.js'
import { InputError, messageOf } from '../../../src/errors.js'
import type { ContentPart, Example, Message } from '../../../src/types.js'
import { mutate, pick, type Random, randomFrom } from './mutate.js'

const INPUTS = 10_000
const SLOWEST_MS = 1000
const GOOD = '{"prompt":"How many chairs?","answer":"3"}'

const rows = [
  { messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Wo?' }] }], images: ['a.png'] },
  {
    id: 7,
    prompt: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'é\u2028😀' },
    ],
    completion: 'four',
  },
  {
    messages: [{ role: 'user', content: [{ type: 'video', video: ['0.png', '/1.png'] }] }],
    answer: 2.5,
    scene: { n: [1] },
  },
  {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: [{ type: 'text', text: 'b' }] },
    ],
  },
  { prompt: 'x', completion: [{ role: 'assistant', content: 'y' }], video: 'c.mp4', kind: null },
]

const values: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    2.5,
    1e308,
    '',
    'x',
    'user',
    'image',
    'video',
    'text',
    '\u0000',
    '\ud800',
    '\n\r\u2028',
  ],
  ...[[], [[]], {}, [null], ['a'], [{}], { type: 'image' }, { type: 'text' }, { role: 'assistant', content: [] }],
  ...['x'.repeat(5000), Array.from({ length: 300 }, () => 'f.png'), { constructor: 1, toString: null, length: 3 }],
]

const dictionary = [
  ...[
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '\\',
    '\\u',
    '\\ud800',
    'null',
    'true',
    '1e999',
    '-',
    '0x1',
    'NaN',
    '//',
    '\n',
    '\r',
  ],
  ...[
    '\r\n',
    '\uFEFF',
    '\u2028',
    '"__proto__":',
    '"messages":',
    '"prompt":',
    '"role":"user",',
    '"content":',
    '"images":[],',
  ],
  ...[`${'['.repeat(20_000)}${']'.repeat(20_000)}`, '{"a":'.repeat(5000)],
].map((text) => Buffer.from(text))
dictionary.push(Buffer.of(0xff), Buffer.of(0xc3, 0x28), Buffer.of(0))

/** Puts another value somewhere into a row, or gives it another key. */
function mutateValue(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random(5) === 0) return pick(values, random) ?? null
  if (Array.isArray(value)) {
    const at = random(value.length + 1)
    return [...value.slice(0, at), mutateValue(value[at], random), ...value.slice(at + random(3))]
  }
  const entries = Object.entries(value)
  const at = random(entries.length + 1)
  const [key = pick(['messages', 'completion', 'images', 'id', 'answer', '__proto__'], random), old] = entries[at] ?? []
  const changed: [string, unknown][] = random(6) === 0 ? [] : [[key, mutateValue(old, random)]]
  return Object.fromEntries([...entries.slice(0, at), ...changed, ...entries.slice(at + 1)])
}

function mutatedLine(random: Random): Buffer {
  const row = pick(rows, random)
  if (random(2) === 0) return Buffer.from(JSON.stringify(mutateValue(row, random)))
  return mutate(Buffer.from(JSON.stringify(row)), dictionary, random)
}

/** Plain checks: ten thousand rows of `expect` take half a minute. */
function isExample({ messages, completion, answer, id }: Example): boolean {
  const isScalar = (value: unknown) => ['string', 'number', 'undefined'].includes(typeof value)
  const isText = (value: unknown) => ['string', 'undefined'].includes(typeof value)
  return messages.length > 0 && messages.every(isMessage) && isText(completion) && isScalar(answer) && isScalar(id)
}

function isMessage({ role, content }: Message): boolean {
  const payload = (part: ContentPart) =>
    part.type === 'text' ? part.text : part.type === 'image' ? part.image : part.video
  const parts = typeof content === 'string' ? [content] : content.flatMap(payload)
  return ['system', 'user', 'assistant'].includes(role) && parts.every((part) => typeof part === 'string')
}

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-fuzz-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** True: read. False: refused as it should be. Throws on anything else. */
function readsOrRefuses(path: string, lines: number): boolean {
  try {
    const dataset = jsonl(path)
    const examples = Array.from({ length: dataset.length }, (_, i) => dataset.get(i))
    const bad = examples.find((example) => !isExample(example))
    if (bad) throw new Error(`not an example: ${JSON.stringify(bad)}`)
    return true
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'ERR_VSGRPO_DATA') throw error
    const line = Number(/^:(\d+): /.exec(error.message.slice(path.length))?.[1])
    if (!error.message.startsWith(path) || !(line >= 2 && line <= lines))
      throw new Error(`no line in: ${error.message}`)
    if (/[\n\r]/.test(error.message)) throw new Error(`more than one line: ${JSON.stringify(error.message)}`)
    if (error.message.length > path.length + 400) throw new Error(`too long: ${error.message}`)
    return false
  }
}

it('reads or refuses ten thousand mutated rows, naming file and line', { timeout: 60_000 }, () => {
  const random = randomFrom(20250404)
  const path = join(dir, 'rows.jsonl')
  let read = 0
  let slowest = 0
  for (let i = 0; i < INPUTS; i++) {
    const text = Buffer.concat([Buffer.from(`${GOOD}\n`), mutatedLine(random)])
    writeFileSync(path, text)
    const start = performance.now()
    try {
      read += Number(readsOrRefuses(path, text.toString().split('\n').length))
    } catch (error) {
      throw new Error(`input ${i}: ${messageOf(error)}\n${text.toString().slice(0, 500)}`, { cause: error })
    }
    slowest = Math.max(slowest, performance.now() - start)
  }
  console.log(`${read} read, ${INPUTS - read} refused, slowest ${slowest.toFixed(1)} ms`)
  expect(slowest).toBeLessThan(SLOWEST_MS)
  expect(read).toBeGreaterThan(INPUTS / 100)
  expect(read).toBeLessThan(INPUTS)
})
