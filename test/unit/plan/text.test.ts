// What people read: the line before a run, the refusal, the table.
import { describe, expect, it } from 'vitest'
import type { StateDType } from '../../../src/native.js'
import { predictMemory } from '../../../src/plan/memory.js'
import type { Plan } from '../../../src/plan/plan.js'
import { remedies } from '../../../src/plan/remedies.js'
import { countParameters } from '../../../src/plan/shape.js'
import { expectation, refusal, table } from '../../../src/plan/text.js'
import { predictTime } from '../../../src/plan/time.js'
import { qwen2b, rates, setup, step } from './shapes.js'

function planFor(availableBytes: number): Plan {
  const memory = predictMemory(qwen2b, step, setup)
  const { total: parameters, trainable } = countParameters(qwen2b, setup.load)
  const fits = memory.peakBytes <= availableBytes
  return {
    algorithm: 'grpo',
    model: { dir: 'model', dtype: 'bfloat16', parameters, trainable },
    workload: step,
    rowsRead: 8,
    tokensPerMicroBatch: 8192,
    memory: { ...memory, availableBytes, fits },
    steps: 300,
    time: predictTime(qwen2b, step, setup, rates),
    remedies: fits ? [] : remedies({ algorithm: 'grpo', shape: qwen2b, workload: step, setup }, availableBytes),
  }
}

describe('the line before a run', () => {
  it('says memory, steps, seconds and the micro-batch', () => {
    expect(expectation(planFor(100e9))).toMatch(
      /^plan: 5\d\.\d GB of 100\.0 GB of memory; 300 steps of at most \d\d\.\d s, \dh \d\dm in all without rewards and evaluations; tokensPerMicroBatch 8192$/,
    )
    expect(expectation(planFor(55e9))).toMatch('(tight)')
    const untimed = { ...planFor(100e9), time: undefined, notMeasured: 'EROFS: read-only file system' }
    expect(expectation(untimed)).toMatch('300 steps, whose time could not be measured: EROFS')
    expect(table(untimed)).toMatch(/^time of 300 optimizer steps: could not be measured: EROFS/m)
  })
})

describe('the refusal', () => {
  it('says what is needed and what there is, by part, and what alone would do', () => {
    const { message, hint = '', code } = refusal(planFor(24e9))
    expect(message).toMatch(
      /^\[plan\] this run needs 5\d\.\d GB of memory at its peak, in the gradient pass, and 24\.0 GB are available: optimizer 22\.1 GB, activations \d+\.\d GB, gradients 8\.84 GB, weights 4\.42 GB, reference 4\.42 GB, /,
    )
    expect(hint).toMatch(/^Lower it by lora: \{ r: 16 \} \(1\d\.\d GB, fits\); --ignore-plan starts it all the same\.$/)
    expect(code).toBe('ERR_VSGRPO_OOM')
  })

  it('says what helps most where nothing alone is enough', () => {
    const { hint = '' } = refusal(planFor(4e9))
    expect(hint).toMatch(/^Lower it by lora: .* or freezeVision: true \(\d\d\.\d GB\) or optimStateDtype: int8/)
    expect(hint).not.toMatch('fits')
  })
})

describe('remedies', () => {
  const run = { algorithm: 'grpo', shape: qwen2b, workload: { ...step, prompts: 4 }, setup } as const

  it('come the most effective first, each with the peak that it leads to', () => {
    const found = remedies(run, 1e12)
    const peaks = found.map(({ peakBytes }) => peakBytes)
    expect(peaks).toEqual([...peaks].sort((a, b) => a - b))
    expect(found.every(({ fits }) => fits)).toBe(true)
    expect(found.map(({ change }) => change)).toContain('tokensPerMicroBatch: 4096')
    const ofOneGroup = remedies({ ...run, workload: step }, 1e12).map(({ change }) => change)
    expect(ofOneGroup).toEqual(expect.arrayContaining(['maxCompletionLength: 64', 'numGenerations: 7']))
    expect(ofOneGroup).not.toContain('tokensPerMicroBatch: 4096')
  })

  it('leave out what is so already', () => {
    const lean = {
      ...setup,
      gradientCheckpointing: true,
      reference: 'none' as const,
      load: { ...setup.load, freezeVision: true },
    }
    const names = remedies({ ...run, setup: lean }, 1e12).map(({ change }) => change)
    expect(names.filter((name) => /beta|gradientCheckpointing|freezeVision/.test(name))).toEqual([])
    const moments = (optimStateDtype: StateDType) =>
      remedies({ ...run, setup: { ...setup, optimStateDtype } }, 1e12)
        .map(({ change }) => change)
        .filter((name) => name.startsWith('optimStateDtype'))
    expect(moments('float32')).toEqual(['optimStateDtype: int8', 'optimStateDtype: bfloat16'])
    expect(moments('bfloat16')).toEqual(['optimStateDtype: int8'])
    expect(moments('int8')).toEqual([])
    const dpo = remedies({ ...run, algorithm: 'dpo' }, 1e12).map(({ change }) => change)
    expect(dpo).toContain('precomputeRefLogProbs: true')
    expect(dpo.filter((name) => /numGenerations|beta/.test(name))).toEqual([])
  })
})

describe('the table', () => {
  it('has every part, every phase, and what would help', () => {
    const text = table(planFor(24e9))
    for (const name of ['optimizer', 'activations', 'KV cache', 'loss chunk', 'generation', 'logps', 'peak', 'step']) {
      expect(text).toMatch(new RegExp(`^  ${name} +\\d`, 'm'))
    }
    expect(text).toMatch('grpo: 2.21B parameters, 2.21B of them trained, bfloat16')
    expect(text).toMatch('This does not fit.')
    expect(table(planFor(1e12))).not.toMatch('fit')
  })
})
