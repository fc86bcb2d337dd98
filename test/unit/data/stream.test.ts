/** Files of any size as rows: places, skipped rows, shards, and JSON Lines as a dataset that stays on disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { indexedJsonl } from '../../../src/data/jsonl.js'
import { shard } from '../../../src/data/shard.js'
import { streamJsonl } from '../../../src/data/stream.js'
import { fileLines } from '../../../src/data/stream-lines.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'stream-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function put(name: string, content: string | Buffer): string {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}

const row = (i: number): string => JSON.stringify({ prompt: `question ${i}`, answer: i })

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('fileLines', () => {
  const lines = (content: string | Buffer) =>
    [...fileLines(put('lines', content))].map(({ number, offset, bytes }) => [number, offset, bytes.toString()])

  it('knows number and offset of each, past marks, carriage returns and blank lines', () => {
    expect(lines('\ufeffone\r\n\n  \ntwo\u2028x\nthree')).toEqual([
      [1, 3, 'one'],
      [4, 12, 'two\u2028x'],
      [5, 19 + 1, 'three'],
    ])
    expect(lines('')).toEqual([])
  })

  it('puts lines together that lie across the chunks it reads', () => {
    const long = 'é'.repeat(900_000)
    const found = lines(`a\n${long}\n${long}b\nend`)
    expect(found.map(([number, offset]) => [number, offset])).toEqual([
      [1, 0],
      [2, 2],
      [3, 1_800_003],
      [4, 3_600_005],
    ])
    expect([found[1]?.[2] === long, found[2]?.[2] === `${long}b`]).toEqual([true, true])
  })

  it('stops at a line that is too long to be a row', () => {
    const path = put('lines', `{}\n${'x'.repeat(3 * 2 ** 20)}`)
    expect(() => [...fileLines(path, { longest: 2 ** 20 })]).toThrow(/lines:2: expected lines of at most 1 MiB/)
  })

  it('says that a folder is no file', () => {
    expect(() => [...fileLines(dir)]).toThrow(/cannot read .*; give the path of a data file/)
  })
})

describe('indexedJsonl', () => {
  it('gives each row in any order, with its line', () => {
    const path = put('rows.jsonl', `\n${row(0)}\n\n${Array.from({ length: 500 }, (_, i) => row(i + 1)).join('\n')}`)
    const data = indexedJsonl(path)
    expect(data.length).toBe(501)
    for (const index of [500, 0, 1, 250]) expect(data.get(index)).toMatchObject({ answer: index })
    expect([0, 1, 500].map((index) => data.where?.(index))).toEqual([`${path}:2`, `${path}:4`, `${path}:503`])
    expect(() => data.get(501)).toThrow('expected an index below 501, got 501')
    expect(() => data.get(-1)).toThrow(RangeError)
  })

  it('reads rows longer than a block of bytes', () => {
    const data = indexedJsonl(put('rows.jsonl', `${JSON.stringify({ prompt: 'x'.repeat(50_000) })}\n${row(1)}`))
    expect(data.get(0).messages[0]?.content).toHaveLength(50_000)
    expect(data.get(1).answer).toBe(1)
  })

  const mixed = [row(0), '{"prompt":', row(2), '{"answer":1}', row(4), '{"messages":[{"role":"bot","content":"a"}]}']

  it('stops at a bad row, or skips it, tells it, counts it and keeps the lines of the others right', () => {
    const path = put('mixed.jsonl', mixed.join('\n'))
    expect(() => indexedJsonl(path)).toThrow(/mixed.jsonl:2: not a JSON object/)
    const told: string[] = []
    const data = indexedJsonl(path, { badRows: 'skip', say: (line) => void told.push(line.replaceAll(`${dir}/`, '')) })
    expect([data.length, data.skipped.count]).toEqual([3, 3])
    expect([0, 1, 2].map((index) => data.get(index).answer)).toEqual([0, 2, 4])
    expect(data.where?.(2)).toBe(`${path}:5`)
    expect(told).toEqual([
      expect.stringMatching(/^skipped: mixed.jsonl:2: not a JSON object/),
      expect.stringMatching(/^skipped: mixed.jsonl:4: messages: expected/),
      expect.stringMatching(/^skipped: mixed.jsonl:6: messages\[0\].role/),
      'mixed.jsonl: 3 of 6 rows skipped',
    ])
  })

  it('says when no row can be used', () => {
    const path = put('bad.jsonl', '{}\n{}')
    expect(() => indexedJsonl(path, { badRows: 'skip', say: () => undefined })).toThrow(
      /bad.jsonl: none of its 2 rows can be used; the first: .*bad.jsonl:1: messages/,
    )
    expect(() => indexedJsonl(put('empty.jsonl', '\n'))).toThrow('expected at least one row, got an empty file')
  })
})

describe('streamJsonl', () => {
  it('gives every process its rows, and all of them together', async () => {
    const path = put('rows.jsonl', Array.from({ length: 10 }, (_, i) => row(i)).join('\n'))
    const parts = await Promise.all([0, 1, 2].map((rank) => collect(streamJsonl(path, { rank, worldSize: 3 }))))
    expect(parts.map((part) => part.map(({ answer }) => answer))).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7],
      [2, 5, 8],
    ])
    await expect(collect(streamJsonl(path, { rank: 3, worldSize: 3 }))).rejects.toThrow(
      '[shard] expected a rank from 0 to worldSize - 1, got rank 3 of worldSize 3',
    )
  })
})

describe('shard', () => {
  const data = fromArray(Array.from({ length: 7 }, (_, i) => ({ messages: [], answer: i })))
  const answers = (rank: number, last: 'keep' | 'repeat') => {
    const part = shard(data, { rank, worldSize: 3, last })
    return Array.from({ length: part.length }, (_, i) => part.get(i).answer)
  }
  it('deals the rows out, and lets the first ranks have one more or repeats the beginning', () => {
    expect([0, 1, 2].map((rank) => answers(rank, 'keep'))).toEqual([
      [0, 3, 6],
      [1, 4],
      [2, 5],
    ])
    expect([0, 1, 2].map((rank) => answers(rank, 'repeat'))).toEqual([
      [0, 3, 6],
      [1, 4, 0],
      [2, 5, 1],
    ])
    const part = shard({ ...data, where: (i) => `f:${i + 1}` }, { rank: 1, worldSize: 3 })
    expect(part.where?.(1)).toBe('f:5')
    expect(() => part.get(2)).toThrow('expected an index below 2, got 2')
  })
  it('refuses ranks and sizes that make no sense', () => {
    for (const [rank, worldSize] of [
      [3, 3],
      [-1, 2],
      [0, 0],
      [0.5, 2],
    ] as const) {
      expect(() => shard(data, { rank, worldSize })).toThrow(/expected a rank from 0 to worldSize - 1/)
    }
    expect(() => shard(data, { rank: 0, worldSize: 8 })).toThrow('one row for each of 8 processes, got 7')
  })
})
