/** Policies: sampling, scoring, saving, and models that cannot be loaded. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AbortedError, InputError } from '../../src/errors.js'
import { loadModel } from '../../src/policy.js'
import { FakeModel, fakePolicy, textPrompt } from './train/fake-engine.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-policy-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const prompts = ['red a', 'red b', 'red a', 'blue'].map(textPrompt)
const texts = (groups: { text: string }[][]) => groups.map((group) => group.map(({ text }) => text))

describe('generate', () => {
  it('gives a prompt the same answers whatever else is in the call, and in memory at a time', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    const options = { numGenerations: 3, maxNewTokens: 5, seed: 1 }
    const together = texts(await policy.generate(prompts, options))
    expect(texts(await policy.generate(prompts, { ...options, tokensPerBatch: 1 }))).toEqual(together)
    expect(texts(await policy.generate(prompts.slice(1, 2), options))[0]).toEqual(together[1])
    expect(texts(await policy.generate(prompts, { ...options, numGenerations: 1 }))[3]).toEqual(
      together[3]?.slice(0, 1),
    )
  })

  it('gives equal prompts, other seeds and other keys different answers', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    const options = { numGenerations: 4, maxNewTokens: 8, seed: 1 }
    const first = texts(await policy.generate(prompts, options))
    expect(first[0]).not.toEqual(first[2])
    expect(texts(await policy.generate(prompts, { ...options, seed: 2 }))).not.toEqual(first)
    const keyed = await policy.generate(prompts.slice(0, 2), { ...options, keys: [7, 8] })
    const swapped = await policy.generate(prompts.slice(0, 1), { ...options, keys: [8] })
    expect(texts(swapped)[0]).not.toEqual(texts(keyed)[0])
  })

  it('tells where an answer ended by itself', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    const [answers = []] = await policy.generate(prompts.slice(0, 1), { numGenerations: 60, maxNewTokens: 10 })
    const stopped = answers.filter(({ finishReason }) => finishReason === 'stop')
    expect(stopped.length).toBeGreaterThan(0)
    expect(stopped.length).toBeLessThan(60)
    for (const { ids, finishReason } of answers) {
      expect(ids.indexOf(0)).toBe(finishReason === 'stop' ? ids.length - 1 : -1)
      if (finishReason === 'length') expect(ids).toHaveLength(10)
    }
  })

  it('stops when the signal says so, before and during the call', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    await expect(policy.generate(prompts, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError)
    const control = new AbortController()
    const running = policy.generate(prompts, { numGenerations: 50, signal: control.signal })
    setImmediate(() => control.abort())
    await expect(running).rejects.toThrow(AbortedError)
  })

  it('refuses a prompt longer than the model allows, and keys of another number', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    await expect(policy.generate([textPrompt('a'.repeat(64))])).rejects.toThrow(
      'prompt 0 has 64 tokens, the model takes 64',
    )
    await expect(policy.generate(prompts, { keys: [1] })).rejects.toThrow('expected one for each of 4 prompts, got 1')
  })
})

describe('score', () => {
  it('gives the log-probabilities that sampling gave, whatever is scored with them', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    const groups = await policy.generate(prompts, { numGenerations: 2, maxNewTokens: 5 })
    const sequences = groups.flatMap((group, p) => {
      return group.map(({ ids }) => ({ prompt: prompts[p] ?? textPrompt('a'), completionIds: ids }))
    })
    const together = await policy.scoreAll(sequences)
    const apart = await policy.scoreAll(sequences, { tokensPerBatch: 1 })
    groups.flat().forEach(({ logps }, i) => {
      expect(together[i]?.logps).toEqual(logps)
      expect(apart[i]?.logps).toEqual(logps)
    })
    const [first] = sequences
    if (first) expect(await policy.score(first.prompt, first.completionIds)).toEqual(together[0]?.logps)
  })
})

describe('save', () => {
  it('writes a model folder, and leaves other files of an existing folder alone', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    const out = join(dir, 'deep', 'out')
    await policy.save(out)
    expect(readdirSync(out).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    writeFileSync(join(out, 'notes.txt'), 'mine')
    await policy.save(out)
    expect(readdirSync(out).sort()).toEqual(['config.json', 'model.safetensors', 'notes.txt', 'tokenizer.json'])
    expect(readdirSync(join(dir, 'deep'))).toEqual(['out'])
  })

  it('leaves no trace when the engine cannot write', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    if (policy.native instanceof FakeModel) policy.native.save = () => Promise.reject(new Error('disk full'))
    await expect(policy.save(join(dir, 'out'))).rejects.toMatchObject({ code: 'ERR_VSGRPO_SAVE' })
    expect(existsSync(join(dir, 'out'))).toBe(false)
    expect(readdirSync(dir)).toEqual(['model'])
  })

  it('refuses an adapter from a model that has none', async () => {
    const { policy } = await fakePolicy(join(dir, 'model'))
    await expect(policy.save(join(dir, 'out'), 'adapter')).rejects.toThrow('this model has no adapter')
  })
})

describe('loadModel', () => {
  it('says how to get a model that is not there', async () => {
    await expect(loadModel('Qwen/Qwen2-VL-2B-Nowhere')).rejects.toThrow(
      'no folder Qwen/Qwen2-VL-2B-Nowhere here; download it first: hf download Qwen/Qwen2-VL-2B-Nowhere --local-dir Qwen/Qwen2-VL-2B-Nowhere',
    )
    await expect(loadModel(join(dir, 'none'))).rejects.toThrow('give the path of a Hugging Face model folder')
    writeFileSync(join(dir, 'file'), '')
    await expect(loadModel(join(dir, 'file'))).rejects.toThrow('expected a folder, got the file')
  })

  it.each([
    ['an empty folder', {}, 'is not a Hugging Face model folder'],
    ['a broken config', { 'config.json': '{' }, 'cannot read'],
    [
      'another architecture',
      { 'config.json': '{"model_type":"llama"}' },
      'model_type: expected "qwen2_vl", got "llama"',
    ],
    ['no weights', { 'config.json': '{"model_type":"qwen2_vl"}' }, 'has no weights: expected model.safetensors'],
  ])('refuses %s', async (_, files, message) => {
    const folder = join(dir, 'model')
    mkdirSync(folder)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const loading = loadModel(folder)
    await expect(loading).rejects.toThrow(InputError)
    await expect(loading).rejects.toThrow(message)
  })
})
