/** `vsgrpo plan` on the engine: its numbers against those of a run, and what it does before a run starts. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { native } from '../../src/native.js'
import { writeBlankModel } from '../../src/plan/blank.js'
import { lastLayerBytes, layerBytes, parameterBytes, ropeBytes } from '../../src/plan/engine.js'
import type { Plan } from '../../src/plan/plan.js'
import { measureRates } from '../../src/plan/rates.js'
import { bytesOf, countParameters, type ModelShape } from '../../src/plan/shape.js'
import { addonFile } from '../../src/setup/addon.js'
import { qwen2b, step } from '../unit/plan/shapes.js'
import { base, makeRooms, readRows, root, runScript, scratch, vsgrpo, writeConfig, writeRows } from './cli.js'

const folder = scratch()
let rooms = ''
beforeAll(async () => {
  rooms = await makeRooms(folder.dir, 40)
})

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** A folder that holds a blank model of these sizes, with the demo's tokenizer. */
function blankModel(name: string, shape: ModelShape): string {
  const dir = join(folder.dir, name)
  mkdirSync(dir)
  const files = readdirSync(base).filter((file) => !/^(config|model)/.test(file))
  for (const file of files) copyFileSync(join(base, file), join(dir, file))
  writeBlankModel(dir, shape)
  const file = join(dir, 'config.json')
  const { image_token_id, video_token_id } = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'))
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), image_token_id, video_token_id }))
  return dir
}

async function plan(config: string, ...more: string[]): Promise<Plan> {
  const { code, out, err } = await vsgrpo(folder.dir, 'plan', config, '--json', ...more)
  expect(code, err).toBe(0)
  return JSON.parse(out)
}

describe('vsgrpo plan', () => {
  it('predicts the peak memory of a run within 10 %, which says so itself before it starts', async () => {
    const args = { numGenerations: 8, perDeviceTrainBatchSize: 64, maxCompletionLength: 8, maxSteps: 12 }
    const config = writeConfig(folder.dir, 'fits', { trainDataset: rooms, args: { ...args, outputDir: 'fits' } })
    const { memory, time, steps, model } = await plan(config)
    const { code, err } = await vsgrpo(folder.dir, 'grpo', config)
    expect(code, err).toBe(0)
    expect(err).toMatch(/^plan: 0\.\d\d GB of .* of memory; 12 steps of at most /m)
    const rows = readRows<Record<string, number>>(join(folder.dir, 'fits', 'metrics.jsonl'))
    const { 'memory/peak': peak = 0, step_time: seconds = 0 } = rows.at(-1) ?? {}
    const error = memory.peakBytes / peak - 1
    console.log(
      `memory ${percent(error)} off, time ${percent((time?.secondsPerStep ?? 0) / seconds - 1)} (other work included)`,
    )
    expect(Math.abs(error)).toBeLessThan(0.1)
    // What lasts is known to the byte.
    for (const part of ['weights', 'reference', 'gradients', 'optimizer'] as const)
      expect(rows.at(-1)?.[`memory/${part}`] ?? 0, part).toBe(memory.parts[part])
    expect(model).toMatchObject({ parameters: 1_915_264, trainable: 1_915_264, dtype: 'float32' })
    expect(steps).toBe(12)
  })

  it('knows the reference of a policy that goes on from an adapter to the byte: that adapter once more', async () => {
    const args = { maxSteps: 1, maxCompletionLength: 4 }
    const lora = { r: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] }
    const first = writeConfig(folder.dir, 'first', { trainDataset: rooms, lora, args: { ...args, outputDir: 'first' } })
    expect((await plan(first)).memory.parts.reference).toBe(0)
    expect(await vsgrpo(folder.dir, 'grpo', first)).toMatchObject({ code: 0 })
    const model = join(folder.dir, 'first', 'checkpoints', 'step-1')
    const second = { model, trainDataset: rooms, args: { ...args, outputDir: 'second' } }
    const { parts } = (await plan(writeConfig(folder.dir, 'second', second))).memory
    const { code, err } = await vsgrpo(folder.dir, 'grpo', 'second.yaml')
    expect(code, err).toBe(0)
    const [row] = readRows<Record<string, number>>(join(folder.dir, 'second', 'metrics.jsonl'))
    expect(parts.reference).toBeGreaterThan(0)
    for (const part of ['weights', 'reference', 'gradients', 'optimizer'] as const)
      expect(row?.[`memory/${part}`] ?? 0, part).toBe(parts[part])
  })

  it('keeps a run that does not fit from starting, and picks micro-batches that make another fit', async () => {
    const size = { numGenerations: 100_000, perDeviceTrainBatchSize: 100_000, maxCompletionLength: 100 }
    const config = writeConfig(folder.dir, 'large', { trainDataset: rooms, args: { ...size, outputDir: 'large' } })
    const { code, out, err } = await vsgrpo(folder.dir, 'grpo', config)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(
      /^error: \[plan\] this run needs [\d.]+ GB of memory at its peak, .* are available: activations /,
    )
    expect(err).toMatch(/--ignore-plan starts it all the same/)
    expect(existsSync(join(folder.dir, 'large'))).toBe(false)
    const many = writeConfig(folder.dir, 'many', { trainDataset: rooms, args: { perDeviceTrainBatchSize: 512 } })
    const roomy = await plan(many, '--memory', '64')
    const tight = await plan(many, '--memory', String(roomy.memory.peakBytes / 1e9))
    expect(roomy.tokensPerMicroBatch).toBe(8192)
    expect(tight.tokensPerMicroBatch).toBeLessThan(8192)
    expect(tight.memory.peakBytes).toBeLessThan(roomy.memory.peakBytes)
  })

  it('plans for 2 billion parameters without reading one, and exits with 1 where they do not fit', async () => {
    const model = blankModel('2b', qwen2b)
    const config = writeConfig(folder.dir, '2b', { model, dtype: 'bfloat16', trainDataset: rooms })
    const { code, out } = await vsgrpo(folder.dir, 'plan', config, '--memory', '24')
    expect(code).toBe(1)
    expect(out).toMatch(/2\.21B parameters, 2\.21B of them trained, bfloat16/)
    expect(out).toMatch(/^ {2}optimizer +22\.1 GB$/m)
    expect(out).toMatch(/^ {2}lora: \{ r: 16 \} +\d\.\d\d GB {2}fits$/m)
  })

  it('knows whose configuration it is by its rewards and rows', async () => {
    const messages = [{ role: 'user', content: 'how many' }]
    const rows = (name: string, columns: object): string => {
      writeRows(join(folder.dir, `${name}.jsonl`), [{ messages, ...columns }])
      const args = { outputDir: name }
      writeFileSync(
        join(folder.dir, `${name}.yaml`),
        JSON.stringify({ model: base, trainDataset: `${name}.jsonl`, args }),
      )
      return `${name}.yaml`
    }
    expect(await plan(rows('answers', { completion: '3' }))).toMatchObject({
      algorithm: 'sft',
      workload: { completions: 1, prompts: 8 },
    })
    expect(await plan(rows('pairs', { chosen: '3', rejected: '14' }))).toMatchObject({
      algorithm: 'dpo',
      workload: { completions: 2, prompts: 8 },
    })
    const { code, err } = await vsgrpo(folder.dir, 'plan', rows('questions', {}))
    expect(code).toBe(2)
    expect(err).toMatch(/whose configuration is it\? Say --algorithm grpo, sft or dpo/)
    expect((await plan('questions.yaml', '--algorithm', 'sft')).algorithm).toBe('sft')
  })
})

describe('the tables of src/plan/engine.ts', () => {
  const { vision } = qwen2b
  const shape: ModelShape = {
    ...{ hidden: 512, layers: 8, heads: 8, kvHeads: 2, headDim: 64, intermediate: 1408, vocabulary: 4096, tied: true },
    vision: { ...vision, depth: 1, width: 64, heads: 4, mlpWidth: 256 },
  }
  const rows = 2048
  const targets = 256

  /** Bytes that a process holds more after a forward pass, where every tensor of 64 KiB and more is mapped on its own. */
  async function measureKept(dir: string, dtype: string, gradientCheckpointing: boolean): Promise<number> {
    vi.stubEnv('GLIBC_TUNABLES', 'glibc.malloc.mmap_threshold=65536')
    const { code, out, err } = await runScript(
      folder.dir,
      `
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
const { Model, memory } = createRequire(import.meta.url)(${JSON.stringify(addonFile(root))})
const of = (length, value) => Int32Array.from({ length }, (_, i) => value(i))
const model = await Model.load(${JSON.stringify(dir)}, { dtype: '${dtype}', trainable: true, freezeVision: false })
async function keep(rows, targets) {
  const batch = { ids: of(rows, (i) => i % 99), offsets: Int32Array.of(0, rows), parents: Int32Array.of(-1),
    positions: of(3 * rows, (i) => i % rows), patches: new Uint8Array(), byteValues: new Float32Array(), grids: new Int32Array() }
  const asked = { rows: of(targets, (k) => rows - targets + k), ids: new Int32Array(targets) }
  const before = process.memoryUsage.rss()
  const pass = await model.forward(batch, asked, { grad: true, adapter: true, temperature: 1, gradientCheckpointing: ${gradientCheckpointing} })
  const kept = process.memoryUsage.rss() - before
  pass.dispose()
  await memory() // The pass has ended on the engine thread.
  return kept
}
await keep(${rows}, ${targets}) // Compiles kernels.
console.log(await keep(${rows}, ${targets}))
`,
    )
    vi.unstubAllEnvs()
    expect(code, err).toBe(0)
    return Number(out)
  }

  it('say what a parameter takes: weight, gradient, optimizer state, within 3 % and 8 MB', async () => {
    const { code, out, err } = await runScript(
      folder.dir,
      `
import { createRequire } from 'node:module'
const { Model, Optimizer } = createRequire(import.meta.url)(${JSON.stringify(addonFile(root))})
const rss = () => process.memoryUsage.rss()
const begun = rss()
const model = await Model.load(${JSON.stringify(blankModel('parameters', shape))}, { dtype: 'bfloat16', trainable: true, freezeVision: false })
const loaded = rss()
const optimizer = await Optimizer.create(model, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })
await optimizer.step({ lr: 0, maxGradNorm: 1 })
console.log(JSON.stringify([model.info().trainable, loaded - begun, rss() - loaded]))
`,
    )
    expect(code, err).toBe(0)
    const [parameters = 0, ...measured] = JSON.parse(out) as number[]
    expect(parameters).toBe(countParameters(shape, { trainable: true, freezeVision: false }).trainable)
    const { weight, gradient, optimizer } = parameterBytes('bfloat16', 'float32', 'float32')
    const predicted = [weight + gradient, optimizer].map((bytes) => bytes * parameters)
    for (const [i, bytes] of predicted.entries()) {
      console.log(`${i === 0 ? 'weights and gradients' : 'optimizer'}: ${percent(bytes / (measured[i] ?? 0) - 1)} off`)
      expect(Math.abs(bytes - (measured[i] ?? 0))).toBeLessThan(0.03 * bytes + 8e6)
    }
  })

  it.each([false, true])('say what a forward pass keeps, checkpointing %s, within 3 % and 4 MB', async (checkpoint) => {
    const dtype = native().buildInfo().bfloat16 ? 'bfloat16' : 'float32'
    const sum = (bytes: readonly number[]) => bytes.reduce((total, each) => total + each, 0)
    const last = lastLayerBytes(shape, dtype)
    const whole = 7 * rows * sum(layerBytes(shape, { dtype })) + rows * sum(last.row) + targets * sum(last.target)
    const inputs = (8 * rows + 2 * targets) * shape.hidden * bytesOf(dtype)
    const predicted = (checkpoint ? inputs : whole) + rows * ropeBytes(shape.headDim)
    const measured = await measureKept(blankModel(`kept-${checkpoint}`, shape), dtype, checkpoint)
    console.log(`${dtype}, checkpointing ${checkpoint}: predicted ${percent(predicted / measured - 1)} off`)
    expect(Math.abs(predicted - measured)).toBeLessThan(0.03 * measured + 4e6)
  })

  it('measures rates that are positive and finite', async () => {
    // Of the smallest vocabulary too, with more media tokens than that.
    const small = { ...shape, vocabulary: 300 }
    const load = { dtype: 'float32', trainable: true, freezeVision: false } as const
    const { forward, backward, decode, optimizer } = await measureRates(native(), small, load, step)
    const all = [...Object.values(forward), ...Object.values(backward), ...Object.values(decode), optimizer]
    for (const rate of all) expect(rate).toBeGreaterThan(0)
    for (const rate of all) expect(Number.isFinite(rate)).toBe(true)
  })
})
