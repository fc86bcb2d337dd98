/** What a name stands for: a file in one of its formats, a folder of files, a data set in the Hub's cache. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { concat, fromArray } from '../../../src/data/dataset.js'
import { dataRows, openDataset } from '../../../src/data/stream-files.js'
import files from './parquet-files.json' with { type: 'json' }

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'open-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

function put(name: string, content: string | Buffer): string {
  mkdirSync(dirname(join(dir, name)), { recursive: true })
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}

const row = (answer: number): string => `${JSON.stringify({ prompt: `question ${answer}`, answer })}\n`
const answersOf = async (...args: Parameters<typeof openDataset>): Promise<unknown[]> => {
  const data = await openDataset(...args)
  return Array.from({ length: data.length }, (_, i) => data.get(i).answer)
}

describe('openDataset on a file', () => {
  it('opens a JSON array in one of the known forms, and tells the index of a bad row', async () => {
    const good = { problem: 'How many?', solution: '<answer>3</answer>' }
    const path = put('rows.json', JSON.stringify([good, { image: 'a.png' }], null, 1))
    await expect(openDataset(path)).rejects.toThrow(/rows.json\[1\]: messages: expected/)
    const data = await openDataset(path, { badRows: 'skip', say: () => undefined })
    expect([data.length, data.skipped.count, data.get(0).answer]).toEqual([1, 1, '3'])
    expect(data.where?.(0)).toMatch(/rows.json\[0\]$/)
  })

  it('opens JSON Lines under any name, and refuses broken arrays', async () => {
    expect(await answersOf(put('rows.json', row(1)))).toEqual([1])
    await expect(openDataset(put('rows.json', '[{"prompt": "a"},'))).rejects.toThrow(
      /rows.json: not valid JSON: .*; write one array of objects/,
    )
  })

  it('reads a file of 70 MB row by row as it reads a small one from memory', async () => {
    const long = (answer: number) => `${JSON.stringify({ prompt: 'x'.repeat(7_000_000), answer })}\n`
    const path = put('large.jsonl', Array.from({ length: 10 }, (_, i) => long(i)).join(''))
    const data = await openDataset(path)
    expect([data.length, data.get(7).answer, data.where?.(7)]).toEqual([10, 7, `${path}:8`])
  })

  it('opens an array of 70 MB on one line, past a byte order mark and blank lines', async () => {
    const long = (answer: number) => ({ prompt: 'x'.repeat(7_000_000), answer })
    const path = put('large.json', `\ufeff\n \r\n${JSON.stringify(Array.from({ length: 10 }, (_, i) => long(i)))}`)
    const data = await openDataset(path)
    expect([data.length, data.get(7).answer, data.where?.(7)]).toEqual([10, 7, `${path}[7]`])
  })
})

describe('openDataset on a folder', () => {
  it('joins its JSON Lines and parquet files in the order of their names, and nothing else', async () => {
    put('data/b.jsonl', `${row(3)}{"answer": 4}\n`)
    put('data/a.jsonl', row(1) + row(2))
    put('c.parquet', Buffer.from(files.base64.types, 'base64'))
    put('scenes.json', '{}')
    const told: string[] = []
    const data = await openDataset(dir, { badRows: 'skip', say: (line) => void told.push(line) })
    expect([data.length, data.skipped.count]).toEqual([4, 1])
    expect([0, 1, 2, 3].map((i) => data.where?.(i)?.slice(dir.length + 1))).toEqual([
      ...['c.parquet row 1', 'data/a.jsonl:1', 'data/a.jsonl:2', 'data/b.jsonl:1'],
    ])
    expect(data.get(3).answer).toBe(3)
    expect(() => data.get(4)).toThrow('expected an index below 4, got 4')
    expect(told[0]).toContain('data/b.jsonl:2: messages')
  })

  it('takes one split, and asks for it where there are several', async () => {
    put('train-00000-of-00002.jsonl', row(1))
    put('train-00001-of-00002.jsonl', row(2))
    put('dev/rows.jsonl', row(3))
    expect(await answersOf(dir, { split: 'train' })).toEqual([1, 2])
    expect(await answersOf(dir, { split: 'validation' })).toEqual([3])
    await expect(openDataset(dir)).rejects.toThrow(
      /expected one split, but its files are of validation, train; name one, e.g. split: validation, or one file/,
    )
    await expect(openDataset(dir, { split: 'test' })).rejects.toThrow(/there is no split 'test'; its files are of/)
  })

  it('reads folders of images and videos with their metadata.jsonl, as Hugging Face lays them out', async () => {
    const rows = ['0001.png', 'films/2.mp4'].map((name) => ({ file_name: name, prompt: 'Which?', answer: name }))
    put('metadata.jsonl', rows.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const data = await openDataset(dir)
    const first = (i: number) => data.get(i).messages[0]?.content[0]
    expect(first(0)).toEqual({ type: 'image', image: join(dir, '0001.png') })
    expect(first(1)).toEqual({ type: 'video', video: join(dir, 'films/2.mp4') })
  })

  it('says that there is nothing in it', async () => {
    await expect(openDataset(dir)).rejects.toThrow(/expected data files \(.jsonl, .parquet\), got none/)
  })
})

describe('openDataset on a name of the Hub', () => {
  it('finds a data set’s files in the cache, by split', async () => {
    const commit = 'd'.repeat(40)
    vi.stubEnv('HF_HOME', dir)
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    put('hub/datasets--org--rooms/refs/main', commit)
    const snapshot = `hub/datasets--org--rooms/snapshots/${commit}`
    put(`${snapshot}/README.md`, 'Rooms.')
    put(`${snapshot}/train.jsonl`, row(1))
    put(`${snapshot}/test.jsonl`, row(2))
    expect(await answersOf('hf://datasets/org/rooms', { split: 'train' })).toEqual([1])
    expect(await answersOf('hf://datasets/org/rooms/test.jsonl')).toEqual([2])
    await expect(openDataset('hf://datasets/org/rooms')).rejects.toThrow(/rooms: expected one split/)
    expect([...(await dataRows('hf://datasets/org/rooms/test.jsonl'))]).toHaveLength(1)
  })
})

describe('concat', () => {
  it('names rows by their place in the whole where a part does not', () => {
    const part = fromArray([{ messages: [] }])
    expect(concat([part, { ...part, where: () => 'b:7' }, part]).where?.(2)).toBe('row 3')
    expect(concat([part, { ...part, where: () => 'b:7' }]).where?.(1)).toBe('b:7')
    expect(() => concat([]).get(0)).toThrow(RangeError)
  })
})
