import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bench } from './bench.js'

type Tensors = Iterable<[string, number[]]>
interface Sizes {
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly intermediate: number
  readonly vocabulary: number
  readonly tied: boolean
  readonly vision: { readonly depth: number; readonly width: number; readonly heads: number }
}

interface Checkpoint {
  configOf(sizes: Sizes): { readonly rope_scaling: { readonly mrope_section: readonly number[] } }
  tensors(sizes: Sizes): Tensors
  randomWeights(seed: number): (name: string, shape: readonly number[], count: number) => Iterable<Uint8Array>
  writeSafetensors(file: string, tensors: Tensors, fill: ReturnType<Checkpoint['randomWeights']>): void
}

const { configOf, tensors, randomWeights, writeSafetensors } = await bench<Checkpoint>('rig/checkpoint.mjs')

const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-checkpoint-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const published: Sizes = {
  hidden: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  intermediate: 8960,
  vocabulary: 151936,
  tied: true,
  vision: { depth: 32, width: 1280, heads: 16 },
}

describe('random checkpoints', () => {
  it('have the tensors, parameters and rope sections of Qwen2-VL-2B at its sizes', () => {
    const shapes = [...tensors(published)].map(([, shape]) => shape.reduce((product, size) => product * size, 1))
    expect(shapes.length).toBe(729)
    expect(shapes.reduce((sum, count) => sum + count, 0)).toBe(2_208_985_600)
    expect(configOf(published).rope_scaling.mrope_section).toEqual([16, 24, 24])
  })

  it('are bfloat16 files with norms 1, biases 0 and weights around 0.02, the same for the same seed', () => {
    const list: [string, number[]][] = [
      ['model.norm.weight', [3]],
      ['x.bias', [2]],
      ['x.weight', [100, 50]],
    ]
    const write = (name: string, seed: number) => {
      writeSafetensors(join(folder, name), list, randomWeights(seed))
      return readFileSync(join(folder, name))
    }
    const file = write('a', 1)
    const length = Number(file.readBigUInt64LE(0))
    const header = JSON.parse(file.subarray(8, 8 + length).toString())
    expect(length % 8).toBe(0)
    expect(header['x.weight']).toEqual({ dtype: 'BF16', shape: [100, 50], data_offsets: [10, 10_010] })
    const data = file.subarray(8 + length)
    const value = (i: number) =>
      new Float32Array(Uint32Array.of(data.readUInt16LE(2 * i) << 16).buffer)[0] ?? Number.NaN
    expect([0, 1, 2, 3, 4].map(value)).toEqual([1, 1, 1, 0, 0])
    const weights = Array.from({ length: 5000 }, (_, i) => value(5 + i))
    const deviation = Math.sqrt(weights.reduce((sum, weight) => sum + weight ** 2, 0) / 5000)
    expect(deviation).toBeGreaterThan(0.019)
    expect(deviation).toBeLessThan(0.021)
    expect(write('b', 1).equals(file)).toBe(true)
    expect(write('c', 2).equals(file)).toBe(false)
  })
})
