// Rows and micro-batches as the plan counts them, against the packing that training does.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packSequences } from '../../../src/batch.js'
import { passOver, promptsWithin, type Workload } from '../../../src/plan/workload.js'
import { planBatches } from '../../../src/plan-batches.js'
import type { Media, Prompt } from '../../../src/types.js'
import { step } from './shapes.js'

/** `count` prompts in the workload's sizes, `promptsPerMedia` of them about the same media. */
function promptsOf({ prompt, promptsPerMedia }: Workload, count: number): Prompt[] {
  return Array.from({ length: count }, (_, i) => {
    const family = Math.floor(i / promptsPerMedia)
    const blank = { patches: new Uint8Array(), byteValues: new Float32Array(), grid: [1, 2, 2] } as const
    const media: Media = { key: `${family}`, ...blank }
    const ids = Int32Array.from({ length: prompt.tokens }, (_, t) => (t < prompt.shared ? family : 1000 + i))
    const positions = new Int32Array(3 * prompt.tokens)
    return { ids, positions, nextPosition: 0, media: prompt.shared > 0 ? [media] : [], sharedLength: prompt.shared }
  })
}

const workloads = fc
  .record({
    shared: fc.integer({ min: 0, max: 40 }),
    own: fc.integer({ min: 1, max: 20 }),
    completions: fc.integer({ min: 1, max: 6 }),
    completionTokens: fc.integer({ min: 1, max: 12 }),
    promptsPerMedia: fc.integer({ min: 1, max: 4 }),
    prompts: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ shared, own, ...rest }): Workload => {
    return { ...step, ...rest, prompt: { ...step.prompt, tokens: shared + own, shared } }
  })

describe('a pass', () => {
  it('has the rows and targets of the packed forest', () => {
    fc.assert(
      fc.property(workloads, (workload) => {
        const completionIds = new Int32Array(workload.completionTokens)
        const sequences = promptsOf(workload, workload.prompts).flatMap((prompt) =>
          Array.from({ length: workload.completions }, () => ({ prompt, completionIds })),
        )
        const { batch, targets } = packSequences(sequences)
        const pass = passOver(workload, workload.prompts)
        expect([pass.rows, pass.targets]).toEqual([batch.ids.length, targets.ids.length])
      }),
    )
  })

  it('shows the patches of media that prompts share once', () => {
    expect(passOver({ ...step, promptsPerMedia: 4 }, 8).patches).toBe(2 * 3872)
    expect(passOver({ ...step, promptsPerMedia: 1 }, 8).patches).toBe(8 * 3872)
  })
})

describe('a micro-batch', () => {
  it('holds as many prompts as training puts into the first one', () => {
    fc.assert(
      fc.property(workloads, fc.integer({ min: 1, max: 600 }), (workload, budget) => {
        const groups = promptsOf(workload, workload.prompts)
        const rows = () => workload.completions * workload.completionTokens
        const [first = []] = planBatches(groups, { prompt: (prompt) => prompt, rows, budget })
        expect(promptsWithin(workload, budget, workload.prompts)).toBe(first.length)
      }),
    )
  })
})
