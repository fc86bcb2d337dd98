/** Supervised fine-tuning: the weighted negative log-likelihood of the completion's tokens. */
import type { LossInputs, LossOutput } from './loss.js'

/** loss = -sum_k w_k logp_k. With w = 1 / (tokens of the optimizer step) it is their mean, as in TRL's `SFTTrainer`. */
export function sftLoss({ logps, weights }: LossInputs): LossOutput {
  let loss = 0
  const dlogps = new Float32Array(logps.length)
  logps.forEach((logp, k) => {
    const weight = weights[k] ?? 0
    loss -= weight * logp
    dlogps[k] = -weight
  })
  return { loss, dlogps }
}
