/** The CUDA kernels stand alone: no torch, no Node, and each has a test that runs it on the CPU. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const native = join(root, 'native')
const kernels = readdirSync(join(native, 'kernels')).filter((file) => file.endsWith('.cu'))

/** Every header that a file of native includes, directly or through others of ours. */
function headersOf(file: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(join(native, file), 'utf8')
  for (const [, header = ''] of text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) {
    if (seen.has(header)) continue
    seen.add(header)
    if (existsSync(join(native, header))) headersOf(header, seen)
  }
  return seen
}

describe('the CUDA kernels', () => {
  it('include nothing of libtorch or Node, and of ours only formulas that the CPU shares', () => {
    expect(kernels.length).toBeGreaterThan(0)
    const all = new Set(kernels.flatMap((file) => [...headersOf(join('kernels', file))]))
    const foreign = [...all].filter((header) => /^(ATen|torch|c10|caffe2|napi|node)/.test(header))
    expect(foreign).toEqual([])
    const ours = [...all].filter((header) => existsSync(join(native, header)) && !header.startsWith('kernels/'))
    expect(ours.sort()).toEqual([
      'core/host_device.h',
      'core/rounding.h',
      'ops/grpo_terms.h',
      'ops/uniform.h',
      'optim/dynamic_code.h',
    ])
  })

  it('have a test of the same name each', () => {
    const untested = kernels.filter(
      (file) => !existsSync(join(root, 'test/native/kernels', file.replace(/\.cu$/, '_test.cpp'))),
    )
    expect(untested).toEqual([])
  })

  it('wait for nothing and allocate nothing', () => {
    const guilty = kernels.filter((file) =>
      /cuda\w*(Synchronize|Malloc|Free|Memcpy\b)/.test(readFileSync(join(native, 'kernels', file), 'utf8')),
    )
    expect(guilty).toEqual([])
  })
})
