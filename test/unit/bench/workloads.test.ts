import { describe, expect, it } from 'vitest'
import { bench } from './bench.js'

interface Workload {
  readonly group: number
  readonly newTokens: number
  readonly questions: readonly string[]
}

interface Workloads {
  readonly workloads: Readonly<Record<string, Workload>>
  workloadOf(name: string): Workload
  promptTokens(workload: Workload): number
}

const { workloadOf, promptTokens } = await bench<Workloads>('rig/workloads.mjs')

describe('workloads', () => {
  it('have the stated sizes', () => {
    const sizes = ['A', 'B', 'C', 'D'].map((name) => {
      const workload = workloadOf(name)
      return [promptTokens(workload), workload.questions.length, workload.group, workload.newTokens]
    })
    expect(sizes).toEqual([
      [140, 1, 8, 32],
      [1016, 1, 14, 8],
      [1016, 1, 14, 128],
      [1034, 4, 8, 32],
    ])
  })

  it('are named in the complaint about an unknown one', () => {
    expect(() => workloadOf('toString')).toThrow("[--workload] expected one of A, B, C, D, got 'toString'")
  })
})
