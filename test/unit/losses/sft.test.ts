/** The supervised loss. */
import { expect, it } from 'vitest'
import { sftLoss } from '../../../src/losses/sft.js'

it('is the weighted negative log-likelihood, with minus the weights as its gradient', () => {
  const weights = Float32Array.of(0.25, 0.25, 0, 0.5)
  const { loss, dlogps } = sftLoss({ logps: Float32Array.of(-1, -2, -50, -4), weights, offsets: Int32Array.of(0, 4) })
  expect(loss).toBeCloseTo(2.75, 6)
  expect([...dlogps]).toEqual([-0.25, -0.25, -0, -0.5])
})
