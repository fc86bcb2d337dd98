// A disk that fills up in the middle of a row: the row is taken back, and the error says what to do.
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { VsgrpoError } from '../../../src/errors.js'
import { LineFile } from '../../../src/log/lines.js'

const disk = vi.hoisted(() => ({ full: false }))

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs')>()
  let calls = 0
  const writeSync = (descriptor: number, bytes: Buffer, offset: number): number => {
    if (!disk.full) return real.writeSync(descriptor, bytes, offset)
    calls += 1
    if (calls === 1) return real.writeSync(descriptor, bytes, 0, 5)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }
  return { ...real, default: { ...real, writeSync }, writeSync }
})

it('keeps the file as it was before the row that did not fit', () => {
  const path = join(fs.mkdtempSync(join(tmpdir(), 'full-')), 'rows.jsonl')
  const file = new LineFile(path)
  file.append([{ step: 1 }])
  disk.full = true
  let error: unknown
  try {
    file.append([{ step: 2 }])
  } catch (thrown) {
    error = thrown
  }
  file.close()
  expect(error).toBeInstanceOf(VsgrpoError)
  expect(error).toMatchObject({
    code: 'ERR_VSGRPO_SAVE',
    message: expect.stringMatching(/rows.jsonl: the disk is full: free some space/),
  })
  expect(fs.readFileSync(path, 'utf8')).toBe('{"step":1}\n')
})
