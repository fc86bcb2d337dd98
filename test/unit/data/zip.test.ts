/** Files out of zip archives: whole ones to the byte, and nothing of others; damaged ones are in damaged-inputs.test.ts. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ZipArchive } from '../../../src/data/zip.js'
import { zipOf } from './zip-fixture.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'zip-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function put(bytes: Buffer): string {
  writeFileSync(join(dir, 'videos.zip'), bytes)
  return join(dir, 'videos.zip')
}

describe('ZipArchive', () => {
  it('takes out one file, stored or packed, and leaves the others in', async () => {
    const large = randomBytes(300_000)
    const files = [
      { name: 'scannet/', content: '' },
      { name: 'scannet/a.mp4', content: large },
      { name: 'scannet/ü b.mp4', content: Buffer.alloc(500_000, 7), deflate: true },
    ]
    const archive = await ZipArchive.open(put(zipOf(files)))
    expect(archive.names).toEqual(['scannet/a.mp4', 'scannet/ü b.mp4'])
    await archive.extract('scannet/a.mp4', join(dir, 'a'))
    await archive.extract('scannet/ü b.mp4', join(dir, 'b'))
    archive.close()
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(digest(readFileSync(join(dir, 'a')))).toBe(digest(large))
    expect(readFileSync(join(dir, 'b')).equals(Buffer.alloc(500_000, 7))).toBe(true)
    expect(readdirSync(dir).sort()).toEqual(['a', 'b', 'videos.zip'])
  })

  it('reads its directory alone: the bytes of the other files may be anything', async () => {
    const bytes = zipOf([
      { name: 'a.mp4', content: Buffer.alloc(1000, 1) },
      { name: 'b.mp4', content: 'whole' },
    ])
    bytes.fill(0, 40, 900)
    const archive = await ZipArchive.open(put(bytes))
    await archive.extract('b.mp4', join(dir, 'b'))
    expect(readFileSync(join(dir, 'b'), 'utf8')).toBe('whole')
    await expect(archive.extract('a.mp4', join(dir, 'a'))).rejects.toThrow(/videos.zip: a.mp4: .*CRC-32 differs/)
    archive.close()
    expect(existsSync(join(dir, 'a'))).toBe(false)
  })

  it('stops when asked to, and leaves nothing half there', async () => {
    const archive = await ZipArchive.open(put(zipOf([{ name: 'a.mp4', content: randomBytes(1_000_000) }])))
    const stopped = AbortSignal.abort()
    await expect(archive.extract('a.mp4', join(dir, 'a'), stopped)).rejects.toMatchObject({
      code: 'ERR_VSGRPO_ABORTED',
    })
    archive.close()
    expect(existsSync(join(dir, 'a'))).toBe(false)
  })
})
