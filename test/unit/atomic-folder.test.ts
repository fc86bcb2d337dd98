/** Folders that are whole or not there, whoever writes them at the same time. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { writeFolder } from '../../src/atomic-folder.js'
import { scratch } from './train/harness.js'

const place = scratch()
const target = () => join(place.dir, 'model')

/** Three files that say who wrote them, with pauses between. */
function fill(writer: string) {
  return async (folder: string): Promise<void> => {
    for (const name of ['a.json', 'b.json', 'c.safetensors']) {
      writeFileSync(join(folder, name), writer)
      for (let i = 0; i < 5; i++) await setImmediate()
    }
  }
}

describe('writeFolder', () => {
  it.each(['merge', 'replace'] as const)(
    'lets a second one to the same place wait for the first: %s',
    async (existing) => {
      const writers = ['one', 'two', 'three']
      await Promise.all(writers.map((writer) => writeFolder(target(), fill(writer), { existing })))
      const contents = readdirSync(target()).map((name) => readFileSync(join(target(), name), 'utf8'))
      expect(contents).toEqual(['three', 'three', 'three'])
      expect(readdirSync(place.dir)).toEqual(['model'])
    },
  )

  it('goes on after one that failed, and says what failed', async () => {
    const failing = writeFolder(target(), () => Promise.reject(new Error('no room')), { existing: 'merge' })
    const after = writeFolder(target(), fill('two'), { existing: 'merge' })
    await expect(failing).rejects.toThrow('no room')
    await after
    expect(readdirSync(place.dir)).toEqual(['model'])
  })

  it('takes away what would belie the new files', async () => {
    mkdirSync(target())
    for (const name of ['adapter_config.json', 'notes.txt']) writeFileSync(join(target(), name), '')
    await writeFolder(target(), fill('one'), { existing: 'merge', obsolete: ['adapter_config.json', 'missing'] })
    expect(readdirSync(target()).sort()).toEqual(['a.json', 'b.json', 'c.safetensors', 'notes.txt'])
  })
})
