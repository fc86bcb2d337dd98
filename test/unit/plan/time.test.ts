// Predicted time: operations by hand, and how a step grows with the group and the prompt.
import { describe, expect, it } from 'vitest'
import { flopsOf, prefillFlops, visionFlops } from '../../../src/plan/flops.js'
import type { Setup } from '../../../src/plan/setup.js'
import { attentionCost, predictTime } from '../../../src/plan/time.js'
import type { Workload } from '../../../src/plan/workload.js'
import { qwen2b, rates, setup, step } from './shapes.js'

/** Of a step whose prompts are encoded again for learning, unless the workload says otherwise. */
const generation = { prompts: 1, updates: 1, atOnce: false }
const time = (workload: Partial<Workload>, changed: Partial<Setup> = {}) =>
  predictTime(qwen2b, { ...step, generation, ...workload }, { ...setup, ...changed }, rates)

describe('operations of a step', () => {
  const text: Workload = {
    ...step,
    prompt: { tokens: 100, shared: 0, patches: 0, framePatches: 0 },
    completions: 2,
    completionTokens: 15,
  }

  it('are two for each parameter and row, padding included, and four for each pair that attends', () => {
    const { decoder, attention, head, vision } = flopsOf(qwen2b, text, 1)
    const qkv = 1536 * (1536 + 2 * 256)
    const rest = 1536 ** 2 + 3 * 1536 * 8960
    // 100 + 2 x 14 rows, a bucket; the last layer goes on with its 30 targets, padded to 32.
    expect(decoder).toBe(2 * (27 * (qkv + rest) * 128 + qkv * 128 + rest * 32))
    expect(attention).toBe(4 * 1536 * 28 * (100 ** 2 / 2 + 2 * (14 * 100 + 14 ** 2 / 2)))
    expect(head).toBe(2 * 32 * 1536 * 151_936)
    expect(vision).toBe(0)
  })

  it('of the tower are its products and attention within frames', () => {
    const products = 1176 * 1280 + 32 * 12 * 1280 ** 2 + (5120 ** 2 + 5120 * 1536) / 4
    expect(visionFlops(qwen2b, 968, 484)).toBe(968 * (2 * products + 4 * 1280 * 32 * 484))
  })
})

describe('the time of a step', () => {
  it('is the phases by hand', () => {
    const { decoder, attention, vision, head } = flopsOf(qwen2b, step, 1)
    const forward = 1e-12 * (decoder + attentionCost.forward * attention + vision)
    const backward = 2e-12 * (decoder + attentionCost.backward * attention + vision) + 3e-12 * head
    const plan = time({})
    expect(plan.logps).toBeCloseTo(forward + 1e-12 * head, 9)
    expect(plan.backward).toBeCloseTo(forward + backward, 9)
    expect(plan.optimizer).toBeCloseTo(2.2089856, 9)
    const { secondsPerStep, ...phases } = plan
    expect(secondsPerStep).toBeCloseTo(
      Object.values(phases).reduce((sum, seconds) => sum + seconds, 0),
      9,
    )
  })

  it('has the tower once where it is frozen, and once more for a reference of its own', () => {
    const { vision } = flopsOf(qwen2b, step, 1)
    const [frozen, lora] = (['copy', 'none'] as const).map((reference) =>
      time({ keptMediaTokens: 10_000 }, { load: { ...setup.load, freezeVision: true }, reference }),
    )
    expect(time({}).backward - (frozen?.backward ?? 0)).toBeCloseTo(3e-12 * vision, 9)
    expect(frozen?.logps).toBeCloseTo(time({}).logps, 9)
    expect((frozen?.logps ?? 0) - (lora?.logps ?? 0)).toBeCloseTo(1e-12 * vision, 9)
    expect(frozen?.generation).toBe(time({}).generation)
  })

  it('is a pass over the prompts less where learning goes on from that of sampling', () => {
    const { decoder, attention, vision } = prefillFlops(qwen2b, step, 1)
    const spared = 1e-12 * (decoder + attentionCost.forward * attention + vision)
    const kept = time({ generation: { ...generation, atOnce: true } })
    expect(kept.backward).toBeCloseTo(time({}).backward - spared, 9)
    expect(kept.generation).toBe(time({}).generation)
    // Only the first of four updates spares it.
    const four = { prompts: 1, updates: 4 }
    const saved =
      time({ generation: { ...four, atOnce: false } }).backward -
      time({ generation: { ...four, atOnce: true } }).backward
    expect(saved).toBeCloseTo(spared / 4, 9)
  })

  it('is a decoding step for every token but the first', () => {
    const longer = time({ completionTokens: 129 }).generation - time({ completionTokens: 128 }).generation
    // The layers' 1.31 billion parameters and the head's 0.23 at 5 billion a second.
    const layers = 28 * (1536 * 2048 + 1536 ** 2 + 3 * 1536 * 8960)
    expect(longer).toBeGreaterThan(2e-10 * (layers + 1536 * 151_936))
    expect(longer).toBeLessThan(1.02 * 2e-10 * (layers + 1536 * 151_936))
  })

  it('grows with the group in a line, by less than a prompt for each member', () => {
    const at = [16, 32, 48].map((completions) => time({ completions }).backward)
    const [first = 0, second = 0] = at.slice(1).map((value, i) => (value - (at[i] ?? 0)) / 16)
    // Rows come in buckets of an eighth.
    expect(second / first).toBeGreaterThan(0.85)
    expect(second / first).toBeLessThan(1.15)
    expect(first).toBeLessThan(time({ completions: 1 }).backward / 2)
  })

  it('grows with prompts, tokens and reruns, and shrinks with what is frozen or shared', () => {
    expect(time({ prompts: 2 }).backward).toBeCloseTo(2 * time({}).backward, 9)
    expect(time({ prompts: 4, promptsPerMedia: 4 }).backward).toBeLessThan(0.8 * time({ prompts: 4 }).backward)
    expect(time({}, { gradientCheckpointing: true }).backward).toBeGreaterThan(time({}).backward)
    expect(time({}, { load: { ...setup.load, freezeVision: true } }).backward).toBeLessThan(time({}).backward)
    expect(time({ headTwice: true }).backward).toBeGreaterThan(time({}).backward)
    expect(time({ scoring: { reference: 0, policy: 0 } }).logps).toBe(0)
  })

  it('shares a generation among the updates that learn from it', () => {
    const once = time({ generation: { prompts: 1, updates: 1, atOnce: true } }).generation
    expect(time({ generation: { prompts: 1, updates: 4, atOnce: true } }).generation).toBeCloseTo(once / 4, 9)
    expect(time({ generation: undefined }).generation).toBe(0)
  })
})
