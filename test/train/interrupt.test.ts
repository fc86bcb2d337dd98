/** `vsgrpo grpo` is interrupted: its exit code, a checkpoint that works, and a run that ends as if never stopped. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeRooms, type Running, readRows, scratch, sha256, startVsgrpo, vsgrpo, writeConfig } from './cli.js'

const folder = scratch()
const steps = 40
beforeAll(async () => {
  await makeRooms(folder.dir, 6)
})

function configure(name: string, config: object = {}, args: object = {}): void {
  writeConfig(folder.dir, name, {
    trainDataset: 'rooms/questions.jsonl',
    ...config,
    args: { maxSteps: steps, saveSteps: 1000, numIterations: 2, outputDir: name, ...args },
  })
}

/** Waits until the run has logged some steps (or has ended by itself), then presses Ctrl-C. */
async function interruptAfter(run: Running, file: string, rows: number) {
  await logged(run, file, rows)
  run.child.kill('SIGINT')
  return run.ended
}

async function logged({ ended }: Running, file: string, rows: number): Promise<void> {
  const deadline = Date.now() + 60_000
  let over = false
  ended.then(() => {
    over = true
  })
  while (Date.now() < deadline && !over) {
    if (rowsIn(file) >= rows) break
    await new Promise((done) => setTimeout(done, 10))
  }
}

function rowsIn(file: string): number {
  try {
    return readRows(file).length
  } catch {
    return 0
  }
}

const checkpointsOf = (name: string) => join(folder.dir, name, 'checkpoints')

describe.each([
  ['full fine-tuning', 'full', {}, 'model.safetensors'],
  ['LoRA', 'lora', { lora: { r: 4 } }, 'adapter_model.safetensors'],
])('an interrupted run: %s', (_, name, config, weights) => {
  it('leaves a checkpoint that scores, and goes on to the same weights', async () => {
    configure(`${name}-whole`, config)
    configure(`${name}-part`, config)
    const run = startVsgrpo(folder.dir, 'grpo', `${name}-part.yaml`)
    const stopped = await interruptAfter(run, join(folder.dir, `${name}-part`, 'metrics.jsonl'), 5)
    expect(stopped.err).toMatch(/interrupted: finishing what is under way/)
    expect({ code: stopped.code, signal: stopped.signal }, stopped.err).toEqual({ code: 130, signal: null })

    const [saved = '', ...others] = readdirSync(checkpointsOf(`${name}-part`))
    expect(others).toEqual([])
    const step = Number(saved.replace('step-', ''))
    expect(step).toBeGreaterThanOrEqual(5)
    expect(step).toBeLessThan(steps)
    const checkpoint = join(checkpointsOf(`${name}-part`), saved)
    const scored = await vsgrpo(folder.dir, 'score', '--model', checkpoint, '--input', 'rooms/questions.jsonl')
    expect({ code: scored.code, rows: scored.out.trimEnd().split('\n').length }, scored.err).toEqual({
      code: 0,
      rows: 18,
    })

    const resumed = await vsgrpo(folder.dir, 'grpo', `${name}-part.yaml`, '--resume')
    expect(resumed.err).toMatch(`going on from step ${step}`)
    expect(resumed.code).toBe(0)
    expect(await vsgrpo(folder.dir, 'grpo', `${name}-whole.yaml`)).toMatchObject({ code: 0 })
    const [part, whole] = ['part', 'whole'].map((which) => join(checkpointsOf(`${name}-${which}`), `step-${steps}`))
    expect(sha256(join(part ?? '', weights))).toBe(sha256(join(whole ?? '', weights)))
    const logged = readRows<{ step: number }>(join(folder.dir, `${name}-part`, 'metrics.jsonl')).map((row) => row.step)
    expect(logged).toEqual(Array.from({ length: steps }, (_, i) => i + 1))
  })
})

it('a second Ctrl-C ends at once, and no half-written checkpoint is left', async () => {
  configure('twice', {}, { maxSteps: 2000 })
  const run = startVsgrpo(folder.dir, 'grpo', 'twice.yaml')
  run.child.stderr?.on('data', (text) => String(text).includes('once more') && run.child.kill('SIGINT'))
  const { code } = await interruptAfter(run, join(folder.dir, 'twice', 'metrics.jsonl'), 3)
  expect(code).toBe(130)
  expect(readdirSync(join(folder.dir, 'twice'))).toContain('metrics.jsonl')
  const metrics = join(folder.dir, 'twice', 'metrics.jsonl')
  const resumed = startVsgrpo(folder.dir, 'grpo', 'twice.yaml', '--resume')
  const again = await interruptAfter(resumed, metrics, rowsIn(metrics) + 3)
  // Killed before it was saved, there is nothing to go on from, and that is said; saved, it goes on.
  expect([2, 130]).toContain(again.code)
})

it('a closed terminal leaves a checkpoint too, though nobody reads what is said and SIGHUP comes twice', async () => {
  configure('closed', { rewardFuncs: ['./loud.mjs'] })
  writeFileSync(join(folder.dir, 'loud.mjs'), 'export default () => (console.log("heard"), Math.random())\n')
  const run = startVsgrpo(folder.dir, 'grpo', 'closed.yaml')
  await logged(run, join(folder.dir, 'closed', 'metrics.jsonl'), 3)
  run.child.stdout?.destroy()
  run.child.stderr?.destroy()
  await logged(run, join(folder.dir, 'closed', 'metrics.jsonl'), 6)
  run.child.kill('SIGHUP')
  run.child.kill('SIGHUP')
  const { code, signal } = await run.ended
  expect({ code, signal }).toEqual({ code: 129, signal: null })
  const [saved = '', ...others] = readdirSync(checkpointsOf('closed'))
  expect(others).toEqual([])
  expect(Number(saved.replace('step-', ''))).toBeLessThan(steps)
  const resumed = await vsgrpo(folder.dir, 'grpo', 'closed.yaml', '--resume')
  expect({ code: resumed.code, out: resumed.out.slice(0, 6) }, resumed.err).toEqual({ code: 0, out: 'heard\n' })
})

it('the same command again, without --resume, is refused', async () => {
  configure('again', {}, { maxSteps: 1 })
  expect(await vsgrpo(folder.dir, 'grpo', 'again.yaml')).toMatchObject({ code: 0 })
  const second = await vsgrpo(folder.dir, 'grpo', 'again.yaml')
  expect(second).toMatchObject({ code: 2, err: expect.stringMatching(/already holds a run: go on with --resume/) })
})
