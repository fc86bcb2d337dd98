/** What `loadModel` asks of the engine, by device and processor. */
import { describe, expect, it } from 'vitest'
import { fromNative } from '../../../src/errors.js'
import { loadOptionsOf } from '../../../src/policy/load-model.js'

const options = (device: 'auto' | 'cpu' | 'cuda', cpuBfloat16: boolean, dtype?: 'float32') =>
  loadOptionsOf({ dir: '/model' }, { device, dtype }, cpuBfloat16)

describe('how a model is loaded', () => {
  it('on a GPU is in bfloat16 whatever the processor, unless it is said', () => {
    expect(options('cuda', false)).toMatchObject({ device: 'cuda', dtype: 'bfloat16' })
    expect(options('cuda', false, 'float32')).toMatchObject({ device: 'cuda', dtype: 'float32' })
  })

  it('on the CPU depends on what it is fast at; auto is the CPU', () => {
    for (const device of ['auto', 'cpu'] as const) {
      expect(options(device, true).dtype).toBe('bfloat16')
      expect(options(device, false).dtype).toBe('float32')
      expect(options(device, true)).not.toHaveProperty('device')
    }
  })
})

describe('what the engine says of a GPU', () => {
  const native = (code: string, message: string) => fromNative(Object.assign(new Error(message), { code }))

  it('is an error with a code, whose cure is in the message', () => {
    expect(native('NO_CUDA', '[cuda] no driver')).toMatchObject({
      code: 'ERR_VSGRPO_NO_CUDA',
      message: '[cuda] no driver',
    })
  })

  it('is out of memory with what to lower', () => {
    const error = native('OUT_OF_MEMORY', 'CUDA out of memory. Tried to allocate 2.00 GiB.')
    expect(error).toMatchObject({ code: 'ERR_VSGRPO_OOM', hint: expect.stringMatching(/tokensPerMicroBatch/) })
  })
})
