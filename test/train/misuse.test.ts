/** Wrong calls of the addon: each throws an Error with a code, none ends the process, and the model works on afterwards. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Addon,
  type Backward,
  type Batch,
  type ForwardOptions,
  type GenerateOptions,
  type LoadOptions,
  type NativeModel,
  native,
  type Targets,
} from '../../src/native.js'

const tiny = fileURLToPath(new URL('../parity/fixtures/tiny-a', import.meta.url))
const load: LoadOptions = { dtype: 'float32', trainable: true, freezeVision: true }
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }
const i32 = (...values: number[]) => Int32Array.from(values)

const batch: Batch = {
  ids: i32(3, 4, 5, 6),
  offsets: i32(0, 3, 4),
  parents: i32(-1, 0),
  positions: i32(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
  patches: new Uint8Array(0),
  byteValues: new Float32Array(0),
  grids: i32(),
}
const targets: Targets = { rows: i32(2, 3), ids: i32(7, 8) }
const grad: ForwardOptions = { grad: true, adapter: true, temperature: 1 }
const sft: Backward = { loss: 'sft', weights: Float32Array.of(1, 1) }
const sampling: GenerateOptions = {
  leaves: i32(1),
  nextPositions: i32(4),
  numGenerations: 1,
  maxNewTokens: 3,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  eosIds: i32(),
  seeds: BigUint64Array.of(1n),
}

let model: NativeModel
let frozen: NativeModel
beforeAll(async () => {
  model = await native().Model.load(tiny, load)
  frozen = await native().Model.load(tiny, { ...load, trainable: false })
})
afterAll(() => {
  model.dispose()
  frozen.dispose()
  expect(native().handles()).toEqual({ models: 0, forwards: 0, optimizers: 0 })
})

/** Calls as untyped code would; sync throws and rejections both count. */
async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) return `no code: ${error}`
    expect(error.message).not.toBe('')
    return String(error.code)
  }
  return 'nothing was thrown'
}

const generate = (options: object = {}, changed: object = {}) =>
  codeOf(() => model.generate({ ...batch, ...changed }, { ...sampling, ...options }))

async function forwardWith(changed: object = {}, to: object = {}, options: object = {}) {
  const forward = await model.forward(
    { ...batch, ...changed },
    { ...targets, ...to },
    { ...grad, grad: false, ...options },
  )
  try {
    return await forward.logps()
  } finally {
    forward.dispose()
  }
}

describe('a batch that is wrong', () => {
  it.each<[string, object, string]>([
    ['a parent that comes later', { parents: i32(1, -1) }, 'BAD_SHAPE'],
    ['a segment that is its own parent', { parents: i32(-1, 1) }, 'BAD_SHAPE'],
    ['a parent below -1', { parents: i32(-2, 0) }, 'BAD_SHAPE'],
    ['offsets that descend', { offsets: i32(0, 5, 4) }, 'BAD_SHAPE'],
    ['offsets that end early', { offsets: i32(0, 1, 2) }, 'BAD_SHAPE'],
    ['no offsets', { offsets: i32() }, 'BAD_SHAPE'],
    ['an id past the vocabulary', { ids: i32(3, 4, 5, 163) }, 'BAD_SHAPE'],
    ['a negative id', { ids: i32(-1, 4, 5, 6) }, 'BAD_SHAPE'],
    ['positions for two axes', { positions: i32(0, 1, 2, 3, 0, 1, 2, 3) }, 'BAD_SHAPE'],
    ['a placeholder without media', { ids: i32(3, 155, 5, 6) }, 'BAD_SHAPE'],
    [
      'media without a placeholder',
      { patches: new Uint8Array(4 * 1176), byteValues: new Float32Array(768), grids: i32(1, 2, 2) },
      'BAD_SHAPE',
    ],
    [
      'patches without values for their bytes',
      { ids: i32(3, 155, 5, 6), patches: new Uint8Array(4 * 1176), grids: i32(1, 2, 2) },
      'BAD_SHAPE',
    ],
    ['patches as floats', { patches: new Float32Array(4 * 1176), grids: i32(1, 2, 2) }, 'BAD_ARGUMENT'],
    [
      'patches of another width',
      { ids: i32(3, 155, 5, 6), patches: new Uint8Array(8), grids: i32(1, 2, 2) },
      'BAD_SHAPE',
    ],
    ['an odd grid', { ids: i32(3, 155, 5, 6), patches: new Uint8Array(3 * 1176), grids: i32(1, 1, 3) }, 'BAD_SHAPE'],
    ['a negative grid', { patches: new Uint8Array(0), grids: i32(-1, 2, 2) }, 'BAD_SHAPE'],
    ['half a grid', { grids: i32(1, 2) }, 'BAD_SHAPE'],
    ['ids as an ordinary array', { ids: [3, 4, 5, 6] }, 'BAD_ARGUMENT'],
    ['ids as floats', { ids: Float32Array.of(3, 4, 5, 6) }, 'BAD_ARGUMENT'],
    ['no ids', { ids: undefined }, 'BAD_ARGUMENT'],
  ])('%s', async (_, changed, code) => {
    expect(await generate({}, changed)).toBe(code)
    expect(await codeOf(() => forwardWith(changed))).toBe(code)
  })

  it.each<[string, object, string]>([
    ['a negative row', { rows: i32(-1, 3) }, 'BAD_SHAPE'],
    ['a row past the batch', { rows: i32(2, 4) }, 'BAD_SHAPE'],
    ['more rows than ids', { rows: i32(0, 1, 2) }, 'BAD_SHAPE'],
    ['a target past the vocabulary', { ids: i32(7, 163) }, 'BAD_SHAPE'],
    ['a negative target', { ids: i32(-7, 8) }, 'BAD_SHAPE'],
  ])('targets with %s', async (_, to, code) => {
    expect(await codeOf(() => forwardWith({}, to))).toBe(code)
  })

  it.each<[string, object, string]>([
    ['a leaf past the segments', { leaves: i32(2) }, 'BAD_SHAPE'],
    ['a negative leaf', { leaves: i32(-1) }, 'BAD_SHAPE'],
    ['a position missing', { nextPositions: i32() }, 'BAD_SHAPE'],
    ['too few seeds', { numGenerations: 2 }, 'BAD_SHAPE'],
    ['no generation', { numGenerations: 0, seeds: new BigUint64Array(0) }, 'BAD_ARGUMENT'],
    ['no new token', { maxNewTokens: 0 }, 'BAD_ARGUMENT'],
    ['a fraction of a token', { maxNewTokens: 1.5 }, 'BAD_ARGUMENT'],
    ['a negative temperature', { temperature: -1 }, 'BAD_ARGUMENT'],
    ['a temperature that is no number', { temperature: Number.NaN }, 'BAD_ARGUMENT'],
    ['a penalty of 0', { repetitionPenalty: 0 }, 'BAD_ARGUMENT'],
    ['seeds of the wrong type', { seeds: i32(1) }, 'BAD_ARGUMENT'],
    ['an abort flag that is an ordinary array', { abort: [0] }, 'BAD_ARGUMENT'],
    ['an empty abort flag', { abort: i32() }, 'BAD_ARGUMENT'],
    ['an abort flag whose memory could be taken away', { abort: i32(0) }, 'BAD_ARGUMENT'],
    ['more memory than there is', { maxNewTokens: 2 ** 40 }, 'OUT_OF_MEMORY'],
  ])('generation with %s', async (_, options, code) => {
    expect(await generate(options)).toBe(code)
  })

  it('without rows gives empty results', async () => {
    const none = { ids: i32(), offsets: i32(0), parents: i32(), positions: i32() }
    expect((await forwardWith(none, { rows: i32(), ids: i32() })).logps).toHaveLength(0)
    const some = await model.generate(
      { ...batch, ...none },
      { ...sampling, leaves: i32(), nextPositions: i32(), seeds: new BigUint64Array(0) },
    )
    expect([...some.offsets]).toEqual([0])
  })
})

describe('temperatures', () => {
  it.each([0, 1e-3, 1e6])('of %s sample ordinary tokens with finite log-probabilities', async (temperature) => {
    const { ids, logps } = await model.generate(batch, {
      ...sampling,
      temperature,
      numGenerations: 16,
      seeds: BigUint64Array.from({ length: 16 }, (_, i) => BigInt(i)),
    })
    expect(logps.every((logp) => Number.isFinite(logp) && logp <= 1e-3)).toBe(true)
    expect(ids.some((id) => id === 155 || id === 156 || id < 0 || id >= 163)).toBe(false)
  })

  it.each([1e-30, 1e30, 1e300, -1])('of %s are refused by name', async (temperature) => {
    const seeds = new BigUint64Array(sampling.numGenerations)
    const call = async () => model.generate(batch, { ...sampling, seeds, temperature })
    await expect(call()).rejects.toThrow('[temperature]')
  })

  it('of 0 or below are refused by the log-probabilities', async () => {
    for (const temperature of [0, -1]) {
      expect(await codeOf(() => forwardWith({}, {}, { temperature }))).toBe('BAD_ARGUMENT')
    }
  })
})

describe('calls in the wrong order', () => {
  it('backward twice, without gradients, and with weights of the wrong length', async () => {
    const forward = await model.forward(batch, targets, grad)
    const wrong: Backward = { loss: 'sft', weights: Float32Array.of(1) }
    expect(await codeOf(() => forward.backward(wrong))).toBe('BAD_SHAPE')
    forward.dispose()
    const second = await model.forward(batch, targets, grad)
    expect(await codeOf(() => second.backward({ loss: 'none' } as unknown as Backward))).toBe('BAD_ARGUMENT')
    expect(await second.backward(sft)).toHaveProperty('loss')
    expect(await codeOf(() => second.backward(sft))).toBe('NO_GRADIENT')
    second.dispose()
    second.dispose()
    expect(await codeOf(() => second.logps())).toBe('DISPOSED')
    expect(await codeOf(() => second.backward(sft))).toBe('DISPOSED')
    const without = await model.forward(batch, targets, { ...grad, grad: false })
    expect(await codeOf(() => without.backward(sft))).toBe('NO_GRADIENT')
    without.dispose()
  })

  it('training a frozen model', async () => {
    const { Optimizer } = native()
    expect(await codeOf(() => Optimizer.create(frozen, adam))).toBe('NO_GRADIENT')
    expect(await codeOf(() => frozen.forward(batch, targets, grad))).toBe('NO_GRADIENT')
    expect(await codeOf(() => Optimizer.create({} as NativeModel, adam))).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => Optimizer.create(Object.create(Object.getPrototypeOf(model)), adam))).not.toBe(
      'nothing was thrown',
    )
  })

  it('classes used without their makers', async () => {
    const Model = native().Model as unknown as new () => NativeModel
    expect(await codeOf(() => new Model())).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => new (native().Optimizer as unknown as new () => object)())).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => native().Model.load(undefined as unknown as string, load))).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => native().Model.load('/nowhere', load))).toBe('BAD_CHECKPOINT')
    expect(await codeOf(() => native().Model.load(tiny, { ...load, dtype: 'float64' as 'float32' }))).toBe(
      'BAD_ARGUMENT',
    )
    expect(await codeOf(() => model.save('/nowhere/at/all', 'model'))).toBe('IO')
  })

  it('objects that pass for a model by their prototype, and a model mixed with itself', async () => {
    const forward = await model.forward(batch, targets, grad)
    const disguised = Object.setPrototypeOf(forward, Object.getPrototypeOf(model)) as NativeModel
    expect(await codeOf(() => model.mix(disguised, 0.5))).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => native().Optimizer.create(disguised, adam))).toBe('BAD_ARGUMENT')
    expect(await codeOf(() => model.mix(model, 0.5))).toBe('BAD_ARGUMENT')
  })

  it('a temperature at which nothing is finite', async () => {
    const pass = await model.forward(batch, targets, { ...grad, temperature: 1e-300 })
    expect(await codeOf(() => pass.logps())).toBe('BAD_ARGUMENT')
    pass.dispose()
  })

  it('pixels that a getter takes away while they are read', async () => {
    const rgb = new Uint8Array(28 * 28 * 3)
    const options = {
      frames: 1,
      width: 28,
      resizedHeight: 28,
      resizedWidth: 28,
      resize: 'pillow',
      patchSize: 14,
      temporalPatchSize: 2,
      mergeSize: 2,
      get height() {
        structuredClone(rgb, { transfer: [rgb.buffer] })
        return 28
      },
    }
    const code = await codeOf(() => native().patchify(rgb, options as unknown as Parameters<Addon['patchify']>[1]))
    expect(['BAD_SHAPE', 'BAD_ARGUMENT']).toContain(code)
  })

  it('anything after dispose', async () => {
    const { Model, Optimizer } = native()
    const gone = await Model.load(tiny, load)
    const optimizer = await Optimizer.create(gone, adam)
    const forward = await gone.forward(batch, targets, grad)
    gone.dispose()
    gone.dispose()
    const calls = [
      () => gone.info(),
      () => gone.generate(batch, sampling),
      () => gone.forward(batch, targets, grad),
      () => gone.save('/tmp', 'model'),
      () => forward.logps(),
      () => optimizer.step({ lr: 1, maxGradNorm: 1 }),
      () => optimizer.load('/nowhere'),
      () => Optimizer.create(gone, adam),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('DISPOSED')
  })

  it('dispose while a forward pass waits: the pass goes with its model', async () => {
    const { Model, handles } = native()
    const before = handles()
    const gone = await Model.load(tiny, load)
    const passes = [gone.forward(batch, targets, grad), gone.forward(batch, targets, { ...grad, grad: false })]
    gone.dispose()
    for (const pass of passes) expect(await codeOf(() => pass)).toBe('DISPOSED')
    expect(handles()).toEqual(before)
  })
})

it('optional fields that are undefined are as if they were not there', async () => {
  const { Model, Optimizer } = native()
  const none = undefined as never
  const own = await Model.load(tiny, { ...load, device: none, lora: none, adapterDir: none })
  const optimizer = await Optimizer.create(own, { ...adam, stateDtype: none, gradDtype: none })
  expect(
    (await own.generate({ ...batch, slots: none }, { ...sampling, keepPrompts: none, abort: none })).ids,
  ).toHaveLength(3)
  const forward = await own.forward(batch, targets, { ...grad, gradientCheckpointing: none, logitMean: none })
  expect(await forward.backward(sft)).not.toHaveProperty('logitMean')
  expect((await optimizer.step({ lr: 1e-3, maxGradNorm: 1 })).gradNorm).toBeGreaterThan(0)
  own.dispose()
})

it('optional fields of the wrong kind are refused', async () => {
  const { Model } = native()
  expect(await codeOf(() => Model.load(tiny, { ...load, lora: 4 as never }))).toBe('BAD_ARGUMENT')
  expect(await codeOf(() => Model.load(tiny, { ...load, adapterDir: 4 as never }))).toBe('BAD_ARGUMENT')
})

it('gradients that are not finite are refused, and the model trains on after them', async () => {
  const own = await native().Model.load(tiny, load)
  const optimizer = await native().Optimizer.create(own, adam)
  const train = async (weight: number) => {
    const forward = await own.forward(batch, targets, grad)
    await forward.backward({ loss: 'sft', weights: Float32Array.of(weight, 1) })
    forward.dispose()
    return optimizer.step({ lr: 1e-3, maxGradNorm: 1 })
  }
  expect(await codeOf(() => train(Number.NaN))).toBe('NUMERICS')
  expect((await train(1)).gradNorm).toBeGreaterThan(0)
  own.dispose()
})
