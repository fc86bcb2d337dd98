/** JSON Lines files as datasets, good rows and bad ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jsonl } from '../../../src/data/jsonl.js'
import { InputError } from '../../../src/errors.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-jsonl-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function file(text: string): string {
  const path = join(dir, 'rows.jsonl')
  writeFileSync(path, text)
  return path
}

const row = (value: unknown) => jsonl(file(JSON.stringify(value))).get(0)
const user = (content: unknown) => [{ role: 'user', content }]

describe('jsonl', () => {
  it('reads rows past byte order mark, carriage returns, blank lines and line separators inside strings', () => {
    const rows = jsonl(file('\uFEFF{"prompt":"one\u2028two","answer":1}\r\n\r\n{"prompt":"three","id":"b"}\n'))
    expect(rows.length).toBe(2)
    expect(rows.get(0)).toEqual({ messages: [{ role: 'user', content: 'one\u2028two' }], answer: 1 })
    expect(rows.get(1)).toMatchObject({ id: 'b' })
    expect(rows.where?.(1)).toMatch(/rows\.jsonl:3$/)
  })

  it('starts relative media paths from the file, or from mediaRoot', () => {
    const content = [
      { type: 'image', image: 'a.png' },
      { type: 'video', video: ['f/0.png', '/abs/1.png'] },
      { type: 'text', text: 'What?' },
    ]
    const path = file(JSON.stringify({ messages: user(content) }))
    expect(jsonl(path).get(0).messages[0]?.content).toEqual([
      { type: 'image', image: join(dir, 'a.png') },
      { type: 'video', video: [join(dir, 'f/0.png'), '/abs/1.png'] },
      { type: 'text', text: 'What?' },
    ])
    const [first] = jsonl(path, { mediaRoot: '/media' }).get(0).messages[0]?.content ?? []
    expect(first).toEqual({ type: 'image', image: '/media/a.png' })
  })

  it('fills placeholders from the columns of images and videos, in order', () => {
    const content = [{ type: 'image' }, { type: 'text', text: 'and' }, { type: 'image' }, { type: 'video' }]
    const example = row({ prompt: user(content), images: ['a.png', 'b.png'], video: 'c.mp4' })
    expect(example.messages[0]?.content).toEqual([
      { type: 'image', image: join(dir, 'a.png') },
      { type: 'text', text: 'and' },
      { type: 'image', image: join(dir, 'b.png') },
      { type: 'video', video: join(dir, 'c.mp4') },
    ])
  })

  it('takes the completion from its column, as a message, or from a last assistant message', () => {
    const answer = { role: 'assistant', content: 'four' }
    expect(row({ prompt: 'How many?', completion: 'four' }).completion).toBe('four')
    expect(row({ prompt: 'How many?', completion: [answer] }).completion).toBe('four')
    const example = row({ messages: [...user('How many?'), answer] })
    expect(example).toEqual({ messages: user('How many?'), completion: 'four' })
  })

  it('passes other columns through', () => {
    expect(row({ prompt: 'a', scene: { rooms: 2 }, kind: null })).toMatchObject({ scene: { rooms: 2 }, kind: null })
  })

  it.each([
    ['{"prompt":', 'rows.jsonl:2: not a JSON object'],
    ['[1]', 'rows.jsonl:2: row: expected a JSON object, got [1]'],
    ['{"answer":1}', 'rows.jsonl:2: messages: expected a list of messages, or the columns prompt (TRL)'],
    ['{"messages":[]}', 'rows.jsonl:2: messages: expected a list of messages'],
    [
      '{"messages":[{"role":"bot","content":"a"}]}',
      'messages[0].role: expected "system", "user" or "assistant", got "bot"',
    ],
    ['{"messages":[{"role":"user"}]}', 'messages[0].content: expected a string or a list of parts, got nothing'],
    [
      '{"messages":[{"role":"user","content":[{"type":"audio"}]}]}',
      'messages[0].content[0].type: expected "text", "image" or "video", got "audio"',
    ],
    [
      '{"messages":[{"role":"user","content":[{"type":"image","image":3}]}]}',
      'content[0].image: expected the path of an image file, got 3',
    ],
    [
      '{"messages":[{"role":"user","content":[{"type":"video","video":[]}]}]}',
      'content[0].video: expected the path of a video file',
    ],
    [
      '{"messages":[{"role":"user","content":[{"type":"image"}]}]}',
      'content[0]: more image placeholders than images; give each its path',
    ],
    [
      '{"messages":[{"role":"user","content":[{"type":"image"}]}],"images":["a","b"]}',
      'placeholders as images, got 1 for 2',
    ],
    ['{"prompt":"a","answer":["b"]}', 'answer: expected a string or a number, got ["b"]'],
    ['{"prompt":"a","completion":3}', 'completion: expected a string or one assistant message, got 3'],
    ['{"messages":[{"role":"assistant","content":"a"}]}', 'messages: expected at least one message before the answer'],
  ])('refuses %s', (line, message) => {
    const open = () => jsonl(file(`{"prompt":"good"}\n${line}\n`))
    expect(open).toThrow(InputError)
    expect(open).toThrow(message)
    expect(open).toThrow('rows.jsonl:2')
  })

  it('refuses files that are missing or empty', () => {
    expect(() => jsonl(join(dir, 'none.jsonl'))).toThrow(/cannot read .*none\.jsonl/)
    expect(() => jsonl(file('\n\n'))).toThrow('expected at least one row')
  })
})
