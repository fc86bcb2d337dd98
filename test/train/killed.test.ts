/** SIGKILL while a checkpoint is being written: half of one is never taken for one, and the run goes on to the same weights. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { base, makeRooms, readRows, scratch, sha256, startVsgrpo, vsgrpo } from './cli.js'

const folder = scratch()
const steps = 10
const kept = 3
beforeAll(async () => {
  await makeRooms(folder.dir, 6)
})

function configure(name: string, config: { args?: object; [key: string]: unknown }): void {
  const args = {
    maxSteps: steps,
    saveSteps: 1,
    saveTotalLimit: kept,
    perDeviceTrainBatchSize: 4,
    learningRate: 1e-3,
    // Else it is chosen by the memory that is free when a run starts.
    tokensPerMicroBatch: 8192,
  }
  const whole = { model: base, dtype: 'float32', trainDataset: 'rooms/questions.jsonl', ...config }
  writeFileSync(
    join(folder.dir, `${name}.yaml`),
    JSON.stringify({ ...whole, args: { ...args, ...config.args, outputDir: name } }),
  )
}

const checkpointsOf = (name: string) => join(folder.dir, name, 'checkpoints')

function filesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Folders that a save is filling, or was when it was killed. */
const unfinished = (name: string) => filesIn(checkpointsOf(name)).filter((file) => file.endsWith('.tmp'))

/** How far a save has come, by the last file that it has begun. */
const moments: [string, (files: readonly string[]) => boolean][] = [
  ['begun', () => true],
  ['at the weights', (files) => files.includes('model.safetensors')],
  ['at the optimizer', (files) => files.includes('optimizer.safetensors')],
  ['written, but not in its place', (files) => files.includes('trainer.json')],
]

interface Killing {
  /** Kills in the save of this step or a later one. */
  readonly from: number
  readonly resume: boolean
  readonly moment: (files: readonly string[]) => boolean
}

/** Runs until a save has come to the moment, and kills it there: what lies half-written then, or nothing if it came too late. */
async function killWhileSaving(command: string, name: string, { from, resume, moment }: Killing): Promise<string[]> {
  const before = new Set(unfinished(name))
  const run = startVsgrpo(folder.dir, command, `${name}.yaml`, ...(resume ? ['--resume'] : []))
  let over = false
  void run.ended.then(() => (over = true))
  const isReached = (temporary: string) =>
    !before.has(temporary) &&
    Number(/^step-(\d+)\./.exec(temporary)?.[1]) >= from &&
    moment(filesIn(join(checkpointsOf(name), temporary)))
  while (!over && !unfinished(name).some(isReached)) await new Promise((done) => setTimeout(done, 1))
  run.child.kill('SIGKILL')
  const { signal, err } = await run.ended
  expect(signal, err).toBe('SIGKILL')
  return unfinished(name).flatMap((temporary) => filesIn(join(checkpointsOf(name), temporary)))
}

describe('a run that is killed while it saves goes on bit for bit', () => {
  it.each([
    ['sft', {}],
    // With a second model in the checkpoint.
    ['dpo', { pairs: { hardness: 'hard' }, args: { syncRefModel: true, refModelSyncSteps: 2 } }],
    // With completions in the checkpoint that are still to be trained on.
    ['grpo', { rewardFuncs: ['accuracy'], args: { numGenerations: 4, numIterations: 2, maxCompletionLength: 4 } }],
  ])('%s', async (command, config) => {
    const [whole, part] = [`${command}-whole`, `${command}-part`]
    configure(whole, config)
    configure(part, config)
    const hits: string[] = []
    for (const [index, [when, moment]] of moments.entries()) {
      const left = await killWhileSaving(command, part, { from: 2, resume: index > 0, moment })
      if (left.length > 0) hits.push(`${when} (${left.length} files)`)
    }
    console.log(`${command}: killed in a save that was ${hits.join(', ')}`)
    expect(hits.length).toBeGreaterThanOrEqual(2)

    const last = await vsgrpo(folder.dir, command, `${part}.yaml`, '--resume')
    expect(last.err).toMatch(/going on from step \d+[\s\S]*finished at step 10/)
    expect(await vsgrpo(folder.dir, command, `${whole}.yaml`)).toMatchObject({ code: 0 })
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      const [got, wanted] = [part, whole].map((name) => sha256(join(checkpointsOf(name), `step-${steps}`, file)))
      expect(got, file).toBe(wanted)
    }
    expect(filesIn(checkpointsOf(part)).sort()).toEqual(filesIn(checkpointsOf(whole)).sort())
    expect(filesIn(checkpointsOf(part))).toHaveLength(kept)
    const logged = readRows<{ step: number }>(join(folder.dir, part, 'metrics.jsonl')).map(({ step }) => step)
    expect(logged).toEqual(Array.from({ length: steps }, (_, i) => i + 1))
  })
})

it('a run that is killed in its first save says that there is nothing to go on from, and starts anew with --resume', async () => {
  configure('first', {})
  const moment = (files: readonly string[]) => files.length > 0
  const left = await killWhileSaving('sft', 'first', { from: 1, resume: false, moment })
  expect(left).not.toEqual([])
  expect(filesIn(checkpointsOf('first')).filter((name) => !name.endsWith('.tmp'))).toEqual([])
  expect(await vsgrpo(folder.dir, 'sft', 'first.yaml')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/first holds a run that ended before its first checkpoint: start it anew with --resume/),
  })
  expect(await vsgrpo(folder.dir, 'sft', 'first.yaml', '--max-steps', '1', '--resume')).toMatchObject({
    code: 0,
    err: expect.stringMatching(/first: no checkpoint yet; the run starts anew/),
  })
  expect(filesIn(checkpointsOf('first'))).toEqual(['step-1'])
})
