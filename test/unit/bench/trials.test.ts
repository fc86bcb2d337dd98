import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bench } from './bench.js'

interface Trial {
  readonly seconds: readonly number[]
}

interface Side {
  readonly name: string
  readonly job: object
  readonly run: (job: object) => Promise<Trial>
  readonly mayFail?: boolean
}

interface Trials {
  runTrials(sides: readonly Side[], options: object): Promise<Record<string, Trial[]>>
  forgetTrials(): void
}

const { runTrials, forgetTrials } = await bench<Trials>('rig/trials.mjs')

let folder = ''
let calls: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vsgrpo-trials-'))
  calls = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A side that answers with the number of calls so far, and fails at the given one. */
function side(name: string, failAt = 0): Side {
  const run = async () => {
    calls.push(name)
    if (calls.length === failAt) throw new Error('interrupted')
    return { seconds: [calls.length] }
  }
  return { name, job: { task: name }, run }
}

const settings = (options: object = {}) => ({ trials: 2, identity: { commit: 'a' }, folder, log: () => {}, ...options })

describe('trials', () => {
  it('take turns', async () => {
    const done = await runTrials([side('peer'), side('ours')], settings())
    expect(calls).toEqual(['peer', 'ours', 'peer', 'ours'])
    expect(done).toEqual({ peer: [{ seconds: [1] }, { seconds: [3] }], ours: [{ seconds: [2] }, { seconds: [4] }] })
  })

  it('go on after an interruption without repeating what is finished', async () => {
    await expect(runTrials([side('peer', 3), side('ours')], settings())).rejects.toThrow('interrupted')
    calls = []
    const [file = ''] = readdirSync(folder)
    appendFileSync(join(folder, file), '{"key":"peer 1","res')
    const done = await runTrials([side('peer'), side('ours')], settings())
    expect(calls).toEqual(['peer', 'ours'])
    expect(done.peer).toEqual([{ seconds: [1] }, { seconds: [1] }])
    expect(await runTrials([side('peer'), side('ours')], settings())).toEqual(done)
    expect(calls.length).toBe(2)
  })

  it('go on without a side that may fail and does', async () => {
    const done = await runTrials([side('ours'), { ...side('peer', 2), mayFail: true }, side('other')], settings())
    expect(calls).toEqual(['ours', 'peer', 'other', 'ours', 'other'])
    expect(Object.keys(done)).toEqual(['ours', 'other'])
  })

  it('start anew for other code, another job, or when asked to', async () => {
    await runTrials([side('ours')], settings())
    await runTrials([side('ours')], settings({ identity: { commit: 'b' } }))
    expect(calls.length).toBe(4)
    await runTrials([{ ...side('ours'), job: { task: 'other' } }], settings())
    expect(calls.length).toBe(6)
    await runTrials([side('ours')], settings())
    expect(calls.length).toBe(6)
    await runTrials([side('ours')], settings({ fresh: true }))
    expect(calls.length).toBe(8)
  })

  it('are measured anew once they were reported', async () => {
    await runTrials([side('ours')], settings())
    forgetTrials()
    await runTrials([side('ours')], settings())
    expect(calls.length).toBe(4)
  })
})
