/** Losses over per-token log-probabilities: pure functions, the readable definitions of what the engine computes. */
export { type GrpoInputs, type GrpoOptions, grpoLoss, grpoMetrics } from './grpo.js'
export type { LossInputs, LossOutput } from './loss.js'
export { sftLoss } from './sft.js'
