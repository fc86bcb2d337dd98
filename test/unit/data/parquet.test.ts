/** Parquet files as pyarrow writes them (parquet-files.json): values, media, damage. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parquetRows } from '../../../src/data/parquet.js'
import { dataRows, openDataset } from '../../../src/data/stream-files.js'
import { readQuestions } from '../../../src/eval/vsi-bench/questions.js'
import files from './parquet-files.json' with { type: 'json' }

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'parquet-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const bytesOf = (name: keyof typeof files.base64): Buffer => Buffer.from(files.base64[name], 'base64')

function put(bytes: Buffer): string {
  writeFileSync(join(dir, 'rows.parquet'), bytes)
  return join(dir, 'rows.parquet')
}

async function read(path: string, mediaDir?: string): Promise<{ value: unknown; where: string }[]> {
  const rows = []
  for await (const row of parquetRows(path, { mediaDir })) rows.push(row)
  return rows
}

describe('parquetRows', () => {
  it.each(['snappy', 'gzip', 'brotli'] as const)(
    'reads lists, nulls, booleans and large integers in %s',
    async (codec) => {
      const rows = await read(put(bytesOf(`questions-${codec}`)))
      expect(rows.map(({ where }) => where.slice(dir.length + 1))).toEqual(
        [1, 2, 3].map((n) => `rows.parquet row ${n}`),
      )
      expect(rows[0]?.value).toMatchObject({ id: 0, options: null, ground_truth: '4', pruned: false })
      expect(rows[1]?.value).toMatchObject({ id: '9007199254740993', options: ['A. left', 'B. right'], pruned: true })
      expect(readQuestions(await dataRows(put(bytesOf(`questions-${codec}`))), 'q')).toHaveLength(3)
    },
  )

  it('reads zstd where Node can, and says so where it cannot', async () => {
    const path = put(bytesOf('questions-zstd'))
    if ('zstdDecompressSync' in zlib) expect(await read(path)).toHaveLength(3)
    else await expect(read(path)).rejects.toThrow(/got ZSTD; use Node 22.15 or later, or write the file with snappy/)
  })

  it('reads dates, floats and lists of integers as JSON has them', async () => {
    const [row] = await read(put(bytesOf('types')))
    expect(row?.value).toEqual({ prompt: 'a', when: '2025-04-01T00:00:00.000Z', size: 2.5, ids: [1, 2] })
  })

  it('writes media once each to the folder that it is given, and keeps paths', async () => {
    const path = put(bytesOf('images'))
    await expect(read(path)).rejects.toThrow(
      /row 1: image: the file holds its media as bytes; say where to put them: mediaDir/,
    )
    const mediaDir = join(dir, 'media')
    const data = await openDataset(path, { mediaDir })
    const [name = ''] = readdirSync(mediaDir)
    expect(readdirSync(mediaDir)).toHaveLength(1)
    expect(readFileSync(join(mediaDir, name)).subarray(1, 4).toString()).toBe('PNG')
    expect(data.get(1).messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', image: join(mediaDir, name) },
          { type: 'text', text: 'Which?' },
        ],
      },
    ])
    expect(data.get(0).answer).toBe('3')
    expect(data.get(2).messages[0]?.content[0]).toEqual({ type: 'image', image: join(dir, 'on-disk.jpg') })
    expect(data.where?.(2)).toBe(`${path} row 3`)
  })

  it('names bytes that are neither text nor media', async () => {
    await expect(read(put(bytesOf('bytes')))).rejects.toThrow(/row 1: raw: expected text or numbers, got 2 bytes/)
  })
})

describe('a damaged parquet file', () => {
  it('never crashes, whatever byte is wrong', async () => {
    const whole = bytesOf('questions-snappy')
    for (let at = 4; at < whole.length; at += 37) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0xff
      await read(put(bytes)).catch((error: unknown) => expect(error).toMatchObject({ name: 'InputError' }))
    }
  })
})
