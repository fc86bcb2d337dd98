// A read-only disk: Node says ENOENT of a folder that cannot be made there, and what is told is the cause.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { checkWritable, saving } from '../../src/atomic-file.js'
import { runCli } from '../printed.js'

const refused = vi.hoisted(() => ({ code: '' }))
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const accessSync = (): void => {
    if (refused.code) throw Object.assign(new Error(refused.code), { code: refused.code })
  }
  return { ...fs, accessSync }
})

const dir = mkdtempSync(join(tmpdir(), 'read-only-'))
const made = (): never => {
  throw Object.assign(new Error("ENOENT: no such file or directory, mkdir 'x'"), { code: 'ENOENT' })
}

it.each([
  ['EROFS', /^cannot write \S+\/runs\/x: that disk is read-only: choose another folder$/],
  ['EACCES', /^cannot write \S+\/runs\/x: no permission to write there: choose another folder/],
  ['', /^cannot write \S+\/runs\/x: ENOENT/],
])('is told from a folder that has gone: %s', (code, told) => {
  refused.code = code
  expect(() => saving(join(dir, 'runs/x'), made)).toThrow(told)
})

it('is told before any work', async () => {
  refused.code = 'EROFS'
  expect(() => checkWritable(join(dir, 'runs/x'))).toThrow(/runs\/x: that disk is read-only/)
  expect(await runCli('rooms', '--output', join(dir, 'rooms'), '--count', '1')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error: cannot write \S+rooms: that disk is read-only: choose another folder\n$/),
  })
})
