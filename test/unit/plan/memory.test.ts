// Predicted memory: a model of 2 billion parameters by hand, and what more or less of anything does to it.
import { describe, expect, it } from 'vitest'
import { bucketRows } from '../../../src/plan/engine.js'
import { predictMemory, processBytes } from '../../../src/plan/memory.js'
import { lossChunkBytes, slack } from '../../../src/plan/passes.js'
import type { Setup } from '../../../src/plan/setup.js'
import type { Workload } from '../../../src/plan/workload.js'
import { qwen2b, setup, step } from './shapes.js'

const peak = (workload: Partial<Workload>, changed: Partial<Setup> = {}): number =>
  predictMemory(qwen2b, { ...step, ...workload }, { ...setup, ...changed }).peakBytes

describe('a full fine-tuning of Qwen2-VL-2B in bfloat16', () => {
  const parts = predictMemory(qwen2b, step, setup).parts
  const parameters = 2_208_985_600

  it('holds 2 bytes of weights, 2 of reference, 4 of gradient and 10 of optimizer for each parameter', () => {
    expect(parts).toMatchObject({
      weights: 2 * parameters,
      reference: 2 * parameters,
      gradients: 4 * parameters,
      optimizer: 10 * parameters,
    })
  })

  it('keeps the activations that the layers save, by hand', () => {
    // 1016 + 14 x 127 = 2794 rows, 1792 targets; of the 3872 patches 968 tokens, in buckets of 128: 1024.
    const [rows, targets, patches] = [2816, 1792, 4096]
    const holes = (bytes: number) => (bytes < slack.below ? 1 + slack.plain : 1)
    const kept = (width: number, count: number) => 2 * width * count * holes(2 * width * count)
    const layer = 6 * kept(1536, rows) + 2 * kept(256, rows) + kept(17_920, rows) + kept(8960, rows)
    const last =
      4 * kept(1536, rows) + 2 * kept(256, rows) + 5 * kept(1536, targets) + kept(17_920, targets) + kept(8960, targets)
    const block = 8 * kept(1280, patches) + 2 * kept(5120, patches)
    const estimate = 27 * layer + last + 32 * block
    // Statistics, rope, the merger and the temporaries of the backward pass come on top.
    expect(parts.activations / estimate).toBeGreaterThan(1)
    expect(parts.activations / estimate).toBeLessThan(1.05)
  })

  it('has a chunk of logits of at most 96 MiB, and the sums beside it', () => {
    // 96 MiB / (151,936 x 2) = 331 rows, in whole 128: 256.
    expect(parts.lossChunk).toBe(256 * 151_936 * 2 + 256 * 1536 * 4 * 8)
    expect(lossChunkBytes(qwen2b, { targets: 112 }, 'bfloat16')).toBe(112 * 151_936 * 2 + 112 * 1536 * 4 * 8)
  })

  it('keeps keys and values of 28 layers for every prompt row and every new token', () => {
    const perRow = 28 * 2 * 128 * 2
    expect(parts.kvCache).toBe(1016 * 3 * perRow + 14 * 128 * 2 * perRow)
  })

  it('adds up to a peak in the gradient pass', () => {
    const { peakBytes, peakPhase } = predictMemory(qwen2b, step, setup)
    const { process, weights, reference, gradients, optimizer, media, activations, lossChunk } = parts
    expect(process).toBe(processBytes.base + 151_936 * processBytes.perToken)
    expect(peakPhase).toBe('learning')
    expect(peakBytes).toBe(process + weights + reference + gradients + optimizer + media + activations + lossChunk)
  })
})

describe('the peak', () => {
  it('grows with the group, the completions, the prompt and its patches', () => {
    for (const grown of [8, 14, 28].map((completions) => peak({ completions })).entries()) {
      const [i, bytes] = grown
      if (i > 0) expect(bytes).toBeGreaterThan(peak({ completions: [8, 14][i - 1] ?? 0 }))
    }
    expect(peak({ completionTokens: 256 })).toBeGreaterThan(peak({ completionTokens: 128 }))
    const { prompt } = step
    expect(peak({ prompt: { ...prompt, tokens: 2032, shared: 2010 } })).toBeGreaterThan(peak({}))
    expect(peak({ prompt: { ...prompt, patches: 2 * 3872 } })).toBeGreaterThan(peak({}))
  })

  it('is the suffixes of a group more for another member, not another prompt', () => {
    const more =
      peak({ completions: 15, prompt: { ...step.prompt, patches: 0 } }) -
      peak({ completions: 14, prompt: { ...step.prompt, patches: 0 } })
    const prompt = peak({ prompts: 2 }) - peak({})
    expect(more).toBeLessThan(prompt / 4)
  })

  it('falls with checkpointing, adapters, a frozen tower, no reference and smaller micro-batches', () => {
    const now = peak({ prompts: 4 })
    const lora = { r: 16, alpha: 32, seed: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] }
    expect(peak({ prompts: 4 }, { gradientCheckpointing: true })).toBeLessThan(now)
    expect(peak({ prompts: 4 }, { load: { ...setup.load, lora, freezeVision: true }, reference: 'none' })).toBeLessThan(
      now / 2,
    )
    expect(peak({ prompts: 4 }, { load: { ...setup.load, freezeVision: true } })).toBeLessThan(now)
    expect(peak({ prompts: 4 }, { reference: 'none' })).toBe(now - 2 * 2_208_985_600)
    expect(peak({ prompts: 4 }, { tokensPerMicroBatch: 4096 })).toBeLessThan(now)
  })

  it('has the adapters that the policy began with once more, and no features beside the policy’s', () => {
    const lora = { r: 16, alpha: 32, seed: 0, targetModules: ['q_proj', 'v_proj'] }
    const load = { ...setup.load, lora, freezeVision: true }
    const [bare, adapted] = (['none', 'adapters'] as const).map((reference) =>
      predictMemory(qwen2b, { ...step, keptMediaTokens: 1000 }, { ...setup, load, reference }),
    )
    const adapters = 28 * 16 * (2 * 1536 + (1536 + 256))
    expect(adapted?.parts).toEqual({ ...bare?.parts, reference: 2 * adapters })
    expect((adapted?.peakBytes ?? 0) - (bare?.peakBytes ?? 0)).toBe(2 * adapters)
  })

  it('counts the low bits of weights only where the weights are rounded, and moments in their own type', () => {
    const load = { ...setup.load, dtype: 'float32' as const }
    const { parts } = predictMemory(qwen2b, step, { ...setup, load })
    expect(parts).toMatchObject({ weights: 4 * 2_208_985_600, optimizer: 8 * 2_208_985_600 })
    const small = predictMemory(qwen2b, step, { ...setup, optimStateDtype: 'bfloat16' })
    expect(small.parts.optimizer).toBe(6 * 2_208_985_600)
    const coded = predictMemory(qwen2b, step, { ...setup, optimStateDtype: 'int8' })
    expect(coded.parts.optimizer).toBe((2 + 2 + 8 / 256) * 2_208_985_600)
    const { gradients } = predictMemory(qwen2b, step, { ...setup, gradDtype: 'bfloat16' }).parts
    expect(gradients).toBe(2 * 2_208_985_600)
  })

  it('has the prompts’ pass of sampling from then on, where learning goes on from it', () => {
    // Short completions under a long prompt: what scoring needs comes on top of what is kept.
    const workload = { ...step, completionTokens: 2, prompt: { ...step.prompt, patches: 8 * 3872 } }
    const [kept, again] = [true, false].map((atOnce) =>
      predictMemory(qwen2b, { ...workload, generation: { prompts: 1, updates: 1, atOnce } }, setup),
    )
    expect([kept?.peakPhase, again?.peakPhase]).toEqual(['scoring', 'learning'])
    expect((kept?.parts.activations ?? 0) / (again?.parts.activations ?? 0)).toBeCloseTo(1, 1)
    const two = { ...workload, prompts: 2, generation: { prompts: 2, updates: 1, atOnce: true } }
    expect(predictMemory(qwen2b, two, setup).peakPhase).toBe('scoring')
    expect(predictMemory(qwen2b, two, { ...setup, tokensPerMicroBatch: 1500 }).peakPhase).toBe('learning')
  })

  it('has the features that a frozen tower keeps, and those of a reference of its own', () => {
    const media = (changed: Partial<Setup>) =>
      predictMemory(qwen2b, { ...step, keptMediaTokens: 1000 }, { ...setup, ...changed }).parts.media
    const frozen = { ...setup.load, freezeVision: true }
    const each = 1000 * 1536 * 2
    expect(media({ load: frozen, reference: 'none' }) - media({ reference: 'none' })).toBe(each)
    expect(media({ load: frozen, reference: 'copy' }) - media({ reference: 'none' })).toBe(2 * each)
  })
})

describe('buckets of rows', () => {
  it('are those of native/core/buckets.h', () => {
    const cases = [0, 1, 128, 129, 388, 1114, 2794, 8193].map((rows) => bucketRows(rows, 128))
    expect(cases).toEqual([0, 128, 128, 256, 512, 1152, 2816, 9216])
    expect([8, 9, 112].map((rows) => bucketRows(rows, 16))).toEqual([16, 16, 112])
  })
})
