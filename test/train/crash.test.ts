/** What could take the whole process down, each in a process of its own: it must end as it was told to. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { addonFile } from '../../src/setup/addon.js'
import { base, root, runScript, scratch } from './cli.js'

const folder = scratch()
const tiny = fileURLToPath(new URL('../parity/fixtures/tiny-a', import.meta.url))

/** What every script begins with: the addon, a model, and a generation long enough to be caught under way. */
const prelude = (dir: string) => `
import { createRequire } from 'node:module'
import { Worker, isMainThread } from 'node:worker_threads'
process.env.OMP_WAIT_POLICY ??= 'PASSIVE'
const addon = createRequire(import.meta.url)(${JSON.stringify(addonFile(root))})
const load = { dtype: 'float32', trainable: true, freezeVision: true }
const model = await addon.Model.load(${JSON.stringify(dir)}, load)
const batch = { ids: Int32Array.of(3, 4, 5, 6), offsets: Int32Array.of(0, 4), parents: Int32Array.of(-1),
  positions: Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3), patches: new Uint8Array(0),
  byteValues: new Float32Array(0), grids: new Int32Array(0) }
const long = (abort) => model.generate(batch, { leaves: Int32Array.of(0), nextPositions: Int32Array.of(4), numGenerations: 8,
  maxNewTokens: 3000, temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, eosIds: new Int32Array(0),
  seeds: new BigUint64Array(8), abort })
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }
const forward = () => model.forward(batch, { rows: Int32Array.of(3), ids: Int32Array.of(7) }, { grad: true, adapter: true, temperature: 1 })
const wait = (ms) => new Promise((done) => setTimeout(done, ms))
const outcome = (promise) => promise.then(() => 'done', (error) => error.code)
`

async function script(body: string, dir = tiny) {
  const { code, signal, out, err } = await runScript(folder.dir, prelude(dir) + body)
  return { code, signal, out: out.trim(), err: err.trim() }
}
const quietly = (code: number, out = '') => ({ code, signal: null, out, err: '' })

it('dispose during a running generation lets it end', async () => {
  const body = `const abort = new Int32Array(new SharedArrayBuffer(4)), running = outcome(long(abort)); await wait(50); model.dispose()
    await wait(20); abort[0] = 1; console.log(await running, JSON.stringify(addon.handles()))`
  expect(await script(body)).toEqual(quietly(0, 'ABORTED {"models":0,"forwards":0,"optimizers":0}'))
})

it('an abort flag stops a generation soon, and one set before at once', async () => {
  const body = `const abort = new Int32Array(new SharedArrayBuffer(4)), running = outcome(long(abort)); await wait(50); abort[0] = 1
    const since = performance.now(), first = await running
    console.log(first, performance.now() - since < 2000, await outcome(long(new Int32Array(new SharedArrayBuffer(4)).fill(1)))); model.dispose()`
  expect(await script(body)).toEqual(quietly(0, 'ABORTED true ABORTED'))
})

it('dispose of everything while a backward pass and an optimizer step wait', async () => {
  const body = `for (let i = 0; i < 20; i++) {
      const own = await addon.Model.load(${JSON.stringify(tiny)}, load)
      const optimizer = await addon.Optimizer.create(own, adam)
      const pass = await own.forward(batch, { rows: Int32Array.of(3), ids: Int32Array.of(7) }, { grad: true, adapter: true, temperature: 1 })
      const waiting = [pass.backward({ loss: 'sft', weights: Float32Array.of(1) }), optimizer.step({ lr: 1e-3, maxGradNorm: 1 })]
      pass.dispose(); optimizer.dispose(); own.dispose()
      const rest = await Promise.all(waiting.map(outcome))
      if (rest.some((code) => code !== 'done' && code !== 'DISPOSED')) console.log(rest)
    }
    model.dispose(); console.log(JSON.stringify(addon.handles()))`
  expect(await script(body)).toEqual(quietly(0, '{"models":0,"forwards":0,"optimizers":0}'))
})

it.each(['generation', 'loading'])('process.exit during a running %s keeps its exit code', async (what) => {
  const call = what === 'loading' ? `addon.Model.load(${JSON.stringify(base)}, load)` : 'long()'
  for (const ms of [0, 3, 10, 30]) {
    expect(await script(`${call}; await wait(${ms}); process.exit(7)`)).toEqual(quietly(7))
  }
})

it('an error that nobody catches during a generation exits with 1', async () => {
  const { code, signal, err } = await script(`long(); await wait(20); throw new Error('mine')`)
  expect({ code, signal }).toEqual({ code: 1, signal: null })
  expect(err).toMatch('Error: mine')
})

it('a worker that ends, or is ended, while its engine works', async () => {
  const text = `const { parentPort } = require('node:worker_threads')
    const addon = require(${JSON.stringify(addonFile(root))})
    addon.Model.load(${JSON.stringify(tiny)}, { dtype: 'float32', trainable: false, freezeVision: true }).then((model) => {
      const batch = { ids: Int32Array.of(3), offsets: Int32Array.of(0, 1), parents: Int32Array.of(-1),
        positions: new Int32Array(3), patches: new Uint8Array(0),
  byteValues: new Float32Array(0), grids: new Int32Array(0) }
      model.generate(batch, { leaves: Int32Array.of(0), nextPositions: Int32Array.of(1), numGenerations: 1, maxNewTokens: 300,
        temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, eosIds: new Int32Array(0), seeds: new BigUint64Array(1) })
      parentPort.postMessage('running') })`
  const body = `for (let i = 0; i < 6; i++) {
      const worker = new Worker(${JSON.stringify(text)}, { eval: true })
      await new Promise((done) => worker.once('message', done)); await wait(3 * i); await worker.terminate()
    }
    console.log(await outcome(long(new Int32Array(new SharedArrayBuffer(4)).fill(1))), JSON.stringify(addon.handles())); model.dispose()`
  expect(await script(body)).toEqual(quietly(0, 'ABORTED {"models":1,"forwards":0,"optimizers":0}'))
})

it('a promise left alone keeps the process alive until it settles', async () => {
  const body = `long().then(() => console.log('settled')); wait(20).then(() => {})`
  expect(await script(body.replace('long()', 'forward()'))).toEqual(quietly(0, 'settled'))
})

it('media tokens outside the vocabulary are refused or never touched', async () => {
  const dir = join(folder.dir, 'outside')
  cpSync(tiny, dir, { recursive: true })
  const config: object = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
  const ids = { image_token_id: 2 ** 30, video_token_id: 2 ** 30 + 1 }
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, ...ids }))
  const ended = await script(`await long(); console.log('generated')`, dir)
  expect(ended.signal).toBe(null)
  expect(ended.code === 0 || ended.err.includes('BAD_CHECKPOINT')).toBe(true)
})

it('patch sizes whose product overflows are refused', async () => {
  const body = `const options = { frames: 1, height: 28, width: 28, resizedHeight: 28, resizedWidth: 28, resize: 'pillow',
      patchSize: 65536, temporalPatchSize: 2, mergeSize: 65536 }
    console.log(await outcome((async () => addon.patchify(new Uint8Array(28 * 28 * 3), options))())); model.dispose()`
  expect(await script(body)).toEqual(quietly(0, expect.stringMatching(/^BAD_/) as unknown as string))
})

it('an optimizer that changes the type of gradients is made after the backward pass under way', async () => {
  const body = `for (let i = 0; i < 30; i++) {
      const own = await addon.Model.load(${JSON.stringify(tiny)}, load)
      const pass = await own.forward(batch, { rows: Int32Array.of(3), ids: Int32Array.of(7) }, { grad: true, adapter: true, temperature: 1 })
      const backward = pass.backward({ loss: 'sft', weights: Float32Array.of(1) })
      const made = addon.Optimizer.create(own, { ...adam, gradDtype: i % 2 ? 'bfloat16' : 'float32' })
      await backward
      await (await made).step({ lr: 1e-3, maxGradNorm: 1 })
      own.dispose()
    }
    model.dispose(); console.log(JSON.stringify(addon.handles()))`
  expect(await script(body)).toEqual(quietly(0, '{"models":0,"forwards":0,"optimizers":0}'))
})
