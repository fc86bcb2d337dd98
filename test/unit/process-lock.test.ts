/** Who is at work in a folder. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { acquireLock, ownerOf, releaseLock } from '../../src/process-lock.js'
import { scratch } from './train/harness.js'

const place = scratch()
const lock = () => join(place.dir, 'run.lock')

describe('a lock', () => {
  it('is had by one, and leaves nothing behind', () => {
    expect(acquireLock(lock())).toBe(true)
    expect(acquireLock(lock())).toBe(false)
    expect(ownerOf(lock())).toBe(process.pid)
    releaseLock(lock())
    expect(readdirSync(place.dir)).toEqual([])
    expect(acquireLock(lock())).toBe(true)
  })

  it('of a running process holds, and of one that is gone does not', async () => {
    const child = spawn('sleep', ['60'])
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    writeFileSync(lock(), `${child.pid} ${start}\n`)
    expect(acquireLock(lock())).toBe(false)
    expect(ownerOf(lock())).toBe(child.pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(ownerOf(lock())).toBeUndefined()
    expect(acquireLock(lock())).toBe(true)
    expect(readdirSync(place.dir).sort()).toEqual(['run.lock'])
  })

  it.each(['', 'no numbers', `${process.pid} 1`, '-1 0'])('that says "%s" is nobody\'s', (content) => {
    writeFileSync(lock(), content)
    expect(ownerOf(lock())).toBeUndefined()
    expect(acquireLock(lock())).toBe(true)
  })
})
