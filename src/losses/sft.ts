/** Supervised fine-tuning: the weighted negative log-likelihood of the tokens to learn. */
import type { LossInputs, LossOutput } from './loss.js'

/** Tokens are charged one by one: whose they are does not matter. */
type TokenInputs = Pick<LossInputs, 'logps' | 'weights'> & Partial<LossInputs>

/** loss = -sum_k w_k logp_k. With w = 1 / (tokens of the optimizer step) it is their mean, as in TRL's `SFTTrainer`. */
export function sftLoss({ logps, weights }: TokenInputs): LossOutput {
  let loss = 0
  const dlogps = new Float32Array(logps.length)
  logps.forEach((logp, k) => {
    const weight = weights[k] ?? 0
    loss -= weight * logp
    dlogps[k] = -weight
  })
  return { loss, dlogps }
}

/** loss = -sum_k w_k [p_k] logp_k with [p] a constant: likely tokens count more (dynamic fine-tuning, arXiv 2508.05629). */
export function dftLoss({ logps, weights }: TokenInputs): LossOutput {
  return sftLoss({ logps, weights: weights.map((weight, k) => weight * Math.exp(logps[k] ?? 0)) })
}
