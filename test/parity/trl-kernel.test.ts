/** The engine's GRPO kernel on the grid of TRL's losses: value and gradient, fused per token or over whole sequences. */
import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.js'
import { grid, isClose, problemOf } from './trl-grid.js'

describe('the native kernel', () => {
  it(`equals TRL on ${grid.cases.length} cases`, async () => {
    const wrong: string[] = []
    let largest = 0
    for (const { batch, options: changes, loss, dlogps } of grid.cases) {
      const { inputs, options } = problemOf(batch, changes)
      const { logps, entropy = new Float32Array(logps.length), ...args } = inputs
      const got = await native().grpoLoss({ logps, entropy }, { loss: 'grpo', ...args, options })
      const pairs = [[got.loss, loss], ...dlogps.map((slope, k) => [got.dlogps[k], slope])] as const
      for (const [actual = Number.NaN, expected = 0] of pairs) {
        largest = Math.max(largest, Math.abs(actual - expected) / (1 + Math.abs(expected)))
        if (!isClose(actual, expected)) wrong.push(`${batch} ${JSON.stringify(changes)}: ${actual} for ${expected}`)
      }
    }
    console.log(`largest difference ${largest.toExponential(1)} of 1 + |value|`)
    expect(wrong).toEqual([])
  })
})
