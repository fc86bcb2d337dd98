/** The arithmetic of the GPU's benchmarks: what each must cost, what is carried there, how far two lists are apart. */
import { describe, expect, it } from 'vitest'
import { bench } from './bench.js'

interface Sizes {
  readonly hidden: number
  readonly layers: number
}
const { decodeBytes, models, prompt, trainingFlops } = await bench<{
  models: Record<'2b' | '7b' | 'tiny', Sizes>
  prompt(shape: { group: number; newTokens: number }, isTiny: boolean): object
  decodeBytes(model: Sizes, cache: { prompts: number; promptTokens: number; rows: number; ownTokens: number }): number
  trainingFlops(model: Sizes, batch: { sequences: number; length: number }): number
}>('gpu/shapes.mjs')
const { promptTokens } = await bench<{ promptTokens(workload: object): number }>('rig/workloads.mjs')
const { distance } = await bench<{
  distance(
    a: readonly number[],
    b: readonly number[],
  ): Readonly<Record<'tokens' | 'mean' | 'median' | 'p999' | 'max', number>>
}>('gpu/rows.mjs')
const { missingOf, requirementsOf } = await bench<{
  requirementsOf(metadata: string): string[]
  missingOf(requirements: readonly string[], present: readonly string[]): string[]
}>('gpu/wheels.mjs')
const { stepArgs } = await bench<{ stepArgs(job: object): Readonly<Record<string, unknown>> }>('ours/grpo-step.mjs')
const { packWhole } = await bench<{
  packWhole(texts: readonly Int32Array[]): {
    batch: { ids: Int32Array; offsets: Int32Array; parents: Int32Array; positions: Int32Array }
    targets: { rows: Int32Array; ids: Int32Array }
  }
}>('ours/forest.mjs')

describe('a step that is to take the least memory', () => {
  it('keeps gradients and moments in the smallest types', () => {
    const job = { questions: 1, group: 2, newTokens: 4, warmup: 1, steps: 1, seed: 1, lean: true }
    expect(stepArgs(job)).toMatchObject({ optimStateDtype: 'int8', gradDtype: 'bfloat16' })
  })
})

describe('what a row must cost', () => {
  it('is 3.09 GB of weights a step for the 2B model and 14.1 GB for the 7B, and 28.7 and 57.3 kB a cached token', () => {
    const none = { prompts: 0, promptTokens: 0, rows: 0, ownTokens: 0 }
    expect(decodeBytes(models['2b'], none)).toBeCloseTo(3.09e9, -7)
    expect(decodeBytes(models['7b'], none)).toBeCloseTo(14.14e9, -7)
    for (const [name, bytes] of [
      ['2b', 28_672],
      ['7b', 57_344],
    ] as const) {
      const shared = { prompts: 3, promptTokens: 5, rows: 7, ownTokens: 2 }
      expect(decodeBytes(models[name], shared) - decodeBytes(models[name], none)).toBe(29 * bytes)
    }
  })

  it('is six operations for each weight and token, and attention that grows with the square', () => {
    const one = trainingFlops(models['2b'], { sequences: 1, length: 1024 })
    expect(trainingFlops(models['2b'], { sequences: 16, length: 1024 })).toBe(16 * one)
    expect(one / 1024).toBeCloseTo(9.26e9 + 6 * 28 * 1536 * 1024, -8)
  })

  it('is asked of prompts about as long as 16 frames of a video', () => {
    expect(promptTokens(prompt({ group: 14, newTokens: 16 }, false))).toBe(950)
  })
})

describe('texts with nothing shared', () => {
  it('are roots of their own, and predict every token but their first', () => {
    const { batch, targets } = packWhole([Int32Array.of(5, 6, 7), Int32Array.of(8, 9)])
    expect([...batch.offsets]).toEqual([0, 3, 5])
    expect([...batch.parents]).toEqual([-1, -1])
    expect([...batch.positions]).toEqual([0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1])
    expect([...targets.rows]).toEqual([0, 1, 3])
    expect([...targets.ids]).toEqual([6, 7, 9])
  })
})

describe('the distance of two lists', () => {
  it('has the mean, the middle, the 999th of a thousand and the largest', () => {
    const a = Array.from({ length: 1001 }, (_, i) => i)
    expect(
      distance(
        a,
        a.map((value) => 2 * value),
      ),
    ).toEqual({ tokens: 1001, mean: 500, median: 500, p999: 999, max: 1000 })
    expect(() => distance([1], [])).toThrow(RangeError)
  })
})

describe('wheels to carry', () => {
  it('are those that a wheel asks for there, whatever the spelling of names', () => {
    const metadata = [
      'Requires-Dist: numpy>=1.17',
      'Requires-Dist: fsspec[http]<=2026.4.0,>=2023.1.0',
      'Requires-Dist: multiprocess (<0.70.20)',
      'Requires-Dist: tomli; python_version < "3.11"',
      'Requires-Dist: colorama; sys_platform == "win32"',
      "Requires-Dist: pytest; extra == 'tests'",
      'Requires-Dist: dill<0.4.2; python_version >= "3.8"',
    ].join('\n')
    const wanted = requirementsOf(metadata)
    expect(wanted).toEqual(['numpy>=1.17', 'fsspec<=2026.4.0,>=2023.1.0', 'multiprocess<0.70.20', 'dill<0.4.2'])
    expect(missingOf(wanted, ['NumPy', 'fsspec'])).toEqual(['multiprocess<0.70.20', 'dill<0.4.2'])
    expect(missingOf(['huggingface-hub>=1'], ['huggingface_hub'])).toEqual([])
  })
})
