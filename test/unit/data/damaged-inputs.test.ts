/**
 * Every kind of damaged input that is known, in one table: scene records, ScanNet's scans, questions and predictions, rows to
 * train on, archives and videos. Each is told as an InputError whose message begins with the file or the place in it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InputError, messageOf } from '../../../src/errors.js'
import { ffmpeg } from '../../ffmpeg.js'
import { damagedArchives, soundArchives } from './damaged/archives.js'
import { damagedQuestions, soundQuestions } from './damaged/questions.js'
import { damagedRecords, soundRecords } from './damaged/records.js'
import { damagedScans, soundScans } from './damaged/scans.js'
import { damagedTables, soundTables } from './damaged/tables.js'

const tables = {
  'scene records': damagedRecords,
  scans: damagedScans,
  'questions and predictions': damagedQuestions,
  'rows to train on': damagedTables,
  'archives and videos': damagedArchives,
}
const kinds = Object.values(tables).flat()
const sound = { ...soundRecords, ...soundScans, ...soundQuestions, ...soundTables, ...soundArchives }

let dir = ''
beforeEach(() => {
  vi.stubEnv('VSGRPO_FFMPEG', ffmpeg)
  dir = mkdtempSync(join(tmpdir(), 'damaged-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

async function thrownBy(read: (dir: string) => unknown): Promise<unknown> {
  try {
    await read(dir)
    return undefined
  } catch (error) {
    return error
  }
}

describe('damaged inputs', () => {
  it('are of at least forty kinds', () => {
    for (const [format, list] of Object.entries(tables)) console.log(`damaged inputs: ${list.length} of ${format}`)
    expect(new Set(kinds.map(({ name }) => name)).size).toBe(kinds.length)
    expect(kinds.length).toBeGreaterThanOrEqual(40)
  })

  it.each(kinds)('are told: $name', async ({ read, message }) => {
    const error = await thrownBy(read)
    expect(error).toBeInstanceOf(InputError)
    const told = messageOf(error).replaceAll(`${dir}/`, '')
    if (typeof message === 'string') expect(told).toContain(message)
    else expect(told).toMatch(message)
    // One line that begins with a file or an option, and holds no stack or binary.
    expect(told).toMatch(/^(?:cannot read |--videos )?[\w./:[\] -]+/)
    expect(told).not.toMatch(/[\n\r\0]/)
    expect(told.length).toBeLessThan(400)
  })
})

describe('the same inputs without damage', () => {
  it.each(Object.entries(sound))('are read: %s', async (_, read) => {
    expect(await thrownBy(read)).toBeUndefined()
  })
})
