/** Built-in rewards as a configuration names them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../../src/cli/config.js'
import { cureOfImport, loadRewards } from '../../../src/cli/reward-funcs.js'
import type { RewardFunc } from '../../../src/rewards/reward.js'
import { packageRoot } from '../../../src/setup/paths.js'

const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-reward-funcs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(names: string): Promise<RewardFunc[]> {
  const file = join(folder, 'run.yaml')
  writeFileSync(file, `rewardFuncs: ${names}\n`)
  return loadRewards(readConfig(file, [], { rewardFuncs: null }))
}

const give = (reward: RewardFunc | undefined, ids: number[], text = '', answer: string | number = 2) =>
  reward?.({ text, ids: Int32Array.from(ids), finishReason: 'stop', example: { messages: [], answer } })

describe('a built-in reward by name', () => {
  it('is made with the numbers behind its name', async () => {
    const [overlong, plain, bigrams, half] = await load(
      '[overlong:10:4, repetition, repetition:2, "repetition:1:-0.5"]',
    )
    expect(overlong?.name).toBe('overlong')
    expect([6, 8, 10].map((length) => give(overlong, Array(length).fill(1)))).toEqual([0, -0.5, -1])
    expect(give(plain, [1, 2, 1, 2])).toBe(0)
    expect(give(bigrams, [1, 2, 1, 2])).toBeCloseTo(-1 / 3, 12)
    expect(give(half, [1, 2, 1, 2])).toBe(-0.25)
  })

  it('may be batched, or measure in another way', async () => {
    const [length, ratio, mra] = await load('\n  - length\n  - relativeAccuracy:ratio\n  - relative_accuracy')
    expect(length?.batch).toBeTypeOf('function')
    expect([length?.name, ratio?.name]).toEqual(['length', 'relativeAccuracy'])
    expect([give(ratio, [], '3'), give(mra, [], '3')]).toEqual([0.5, 0.1])
  })

  it('is batched as well when it comes from a file', async () => {
    writeFileSync(
      join(folder, 'mine.mjs'),
      'export const all = Object.assign(() => 0, { batch: (inputs) => inputs.map(() => inputs.length) })\n',
    )
    const [all] = await load('./mine.mjs#all')
    expect(all?.name).toBe('all')
    expect(all?.batch?.([])).toEqual([])
  })

  it.each([
    ['overlong', 'run.yaml:1: rewardFuncs: expected overlong:<longest completion>:<tokens before it that cost>, e.g. '],
    [
      'overlong:512:',
      'expected overlong:<longest completion>:<tokens before it that cost>, e.g. overlong:512:128, got overlong:512:',
    ],
    [
      'overlong:512',
      'overlong:512: [overlongShaping] cache: expected an integer from 0 to 512, got NaN; write overlong:',
    ],
    ['overlong:8:9', 'cache: expected an integer from 0 to 8, got 9'],
    ['overlong:8:4:2', 'expected overlong:<longest completion>'],
    ['repetition:x', 'expected repetition:<n-gram size>:<largest penalty>, e.g. repetition:3:-1, got repetition:x'],
    ['repetition:3:1', '[repetitionPenalty] maxPenalty: expected a number of 0 or below, got 1'],
    ['overlog:512:128', 'no built-in reward is called overlog:512:128; did you mean overlong?'],
    ['format:thnk', 'no built-in reward is called format:thnk; did you mean format:think?'],
    ['accuracy:3', 'no built-in reward is called accuracy:3; did you mean accuracy?'],
    ['constructor', 'no built-in reward is called constructor; expected one of accuracy, relativeAccuracy'],
    ['zzzzzzzz', 'called zzzzzzzz; expected one of accuracy, '],
  ])('is refused when written %s', async (name, message) => {
    await expect(load(`["${name}"]`)).rejects.toThrow(message)
    await expect(load(`["${name}"]`)).rejects.toMatchObject({ code: 'ERR_VSGRPO_CONFIG' })
  })

  it('is told how to name one of its own', async () => {
    const cure = { hint: 'A reward of your own is ./file.mjs#name.' }
    await expect(load('[acuracy]')).rejects.toMatchObject(cure)
    await expect(load('[zzzzzzzz]')).rejects.toMatchObject(cure)
  })

  it.each(['[accuracy, accuracy]', '[accuracy, accuracy_reward]', '[format:think, think-format-reward]'])(
    'is refused when it is there twice: %s',
    async (names) => {
      await expect(load(names)).rejects.toThrow(
        /^\S*run.yaml:1: rewardFuncs: expected every reward once, got \S+ twice; say in rewardWeights how much it counts$/,
      )
    },
  )

  it('may measure in two ways at once', async () => {
    const both = await load('[relativeAccuracy, relativeAccuracy:ratio, repetition:2, repetition:3]')
    expect(both).toHaveLength(4)
  })
})

it('a file that lacks a package is told where to install it', () => {
  const lacks = (name: string) => new Error(`Cannot find package '${name}' imported from /my/reward.mjs`)
  expect(cureOfImport(lacks('vsgrpo'), '/my/reward.mjs')).toBe(
    `Install it where the file finds it: npm install --prefix /my ${packageRoot()}`,
  )
  expect(cureOfImport(lacks('zod'), '/my/reward.mjs')).toMatch(/npm install --prefix \/my zod$/)
  expect(cureOfImport(new SyntaxError('Unexpected token'), '/my/reward.mjs')).toMatch(/^Fix the file; node \/my/)
})
