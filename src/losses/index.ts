/** Losses over per-token log-probabilities: pure functions, the readable definitions of what the engine computes. */
export { type GrpoInputs, type GrpoOutput, grpoLoss } from './grpo.js'
export { grpoMetrics, type Measured, measureGrpo } from './grpo-metrics.js'
export { defaultGrpoOptions, type GrpoOptions, type LossType, lossTypes } from './grpo-options.js'
export type { LossInputs, LossOutput } from './loss.js'
export { sftLoss } from './sft.js'
export { surrogateOf } from './surrogates.js'
