// What each algorithm's options make of a step, and how many steps a run has.
import { describe, expect, it } from 'vitest'
import { countRunSteps, planSteps } from '../../../src/plan/steps.js'
import { bestFitDecreasing } from '../../../src/train/sft/packing.js'
import { step } from './shapes.js'

const { prompt } = step
const size = { prompt, answer: 40, turns: 0 }

describe('a GRPO step', () => {
  it('has the groups of the batch algebra, sampled once for all updates on them', () => {
    const args = {
      numGenerations: 8,
      perDeviceTrainBatchSize: 16,
      gradientAccumulationSteps: 2,
      stepsPerGeneration: 4,
      numIterations: 2,
      maxCompletionLength: 64,
      beta: 0.04,
    }
    const steps = planSteps('grpo', args)
    expect(steps.needsReference).toBe(true)
    expect(steps.batch).toEqual({ rows: 8, updates: 4, lastBatch: 'drop', isReadAhead: true })
    expect(steps.workload(size)).toMatchObject({
      ...{ prompt, completions: 8, completionTokens: 64, prompts: 4, headTwice: false },
      generation: { prompts: 8, updates: 4, atOnce: false },
      // Scored once for both iterations, under the reference and, as the policy moves on, under the sampling policy.
      scoring: { reference: 0.5, policy: 0.5 },
    })
    expect(countRunSteps(steps, 20, size)).toBe(3 * 2 * 4)
    expect(countRunSteps({ ...steps, config: { ...steps.config, maxSteps: 7 } }, 20, size)).toBe(7)
  })

  it('scores nothing on policy without a reference, and more where tokens are masked or ratios are of sequences', () => {
    const plain = planSteps('grpo', {}).workload(size)
    expect(plain.scoring).toEqual({ reference: 0, policy: 0 })
    const more = planSteps('grpo', { topEntropyQuantile: 0.2, importanceSamplingLevel: 'sequence', lossType: 'grpo' })
    expect(more.workload(size)).toMatchObject({ scoring: { reference: 0, policy: 1 }, headTwice: true })
  })
})

describe('a step on given answers', () => {
  it('is one answer for SFT, cut at maxLength, and as many rows as fit in a place where rows are packed', () => {
    const steps = planSteps('sft', { perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 })
    expect(steps.workload(size)).toMatchObject({ completions: 1, completionTokens: 8, prompts: 8, learnsPrompt: false })
    expect(steps.workload(size).generation).toBeUndefined()
    const packed = planSteps('sft', {
      perDeviceTrainBatchSize: 4,
      packing: true,
      maxLength: 4224,
      completionOnlyLoss: false,
    })
    expect(packed.workload(size)).toMatchObject({ completionTokens: 40, prompts: 16, learnsPrompt: true })
    expect(countRunSteps(steps, 17, size)).toBe(3 * 3)
  })

  it('takes as many rows of a run as its places hold where rows are packed', () => {
    const rows = { prompt: { ...prompt, tokens: 80, shared: 0 }, answer: 20, turns: 0 }
    const args = { perDeviceTrainBatchSize: 8, maxLength: 1024, numTrainEpochs: 1 }
    const packed = planSteps('sft', { ...args, packing: true })
    expect(packed.workload(rows).prompts).toBe(80)
    const blocks = bestFitDecreasing(new Array(8000).fill(100), 1024)
    expect(countRunSteps(packed, 8000, rows)).toBe(Math.ceil(blocks.length / 8))
    expect(countRunSteps(planSteps('sft', args), 8000, rows)).toBe(1000)
  })

  it('learns the prompt too where it has turns of the assistant and assistantOnlyLoss is on', () => {
    const { workload } = planSteps('sft', { assistantOnlyLoss: true })
    expect(workload({ ...size, turns: 2 }).learnsPrompt).toBe(true)
    expect(workload(size).learnsPrompt).toBe(false)
    const whatever = planSteps('sft', { assistantOnlyLoss: true, completionOnlyLoss: false })
    expect(whatever.workload(size).learnsPrompt).toBe(false)
  })

  it('is two answers for DPO, scored under the reference unless that was done before', () => {
    const steps = planSteps('dpo', { perDeviceTrainBatchSize: 4, maxLength: 0 })
    expect(steps).toMatchObject({ needsReference: true, answers: ['chosen', 'rejected'] })
    expect(steps.workload(size)).toMatchObject({ completions: 2, completionTokens: 40, prompts: 4, headTwice: true })
    const before = planSteps('dpo', { precomputeRefLogProbs: true })
    expect(before.needsReference).toBe(false)
    expect(before.workload(size).scoring.reference).toBe(0)
  })

  it('is refused with the trainer’s own words where an option is wrong', () => {
    expect(() => planSteps('grpo', { numGeneration: 4 })).toThrow(/unknown option 'numGeneration'.*numGenerations/)
  })
})
