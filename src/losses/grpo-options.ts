/** What a GRPO loss is made of, as plain values. Names and defaults are TRL 1.13's. */

export const lossTypes = ['dapo', 'grpo', 'bnpo', 'dr_grpo', 'cispo', 'sapo', 'luspo', 'vespo'] as const
export type LossType = (typeof lossTypes)[number]
/** How the KL divergence is estimated; see `kl.ts`. */
export type KlEstimator = 'k1' | 'k2' | 'k3'
/** The policy term; see `surrogates.ts`. */
export type Surrogate = 'clip' | 'cispo' | 'sapo' | 'vespo'

export interface GrpoOptions {
  readonly surrogate: Surrogate
  /** Whose log ratio a token is judged by: its own, or the mean of its sequence (GSPO, arXiv 2507.18071). */
  readonly importanceSamplingLevel: 'token' | 'sequence'
  /** The ratio is clipped below 1 - epsilonLow … */
  readonly epsilonLow: number
  /** … and above 1 + epsilonHigh; for cispo the largest weight itself. */
  readonly epsilonHigh: number
  /** Bound on the ratio before the smaller branch is taken; absent = none. */
  readonly delta?: number
  /** Weight of the KL penalty; 0 = no reference policy. */
  readonly beta: number
  readonly klEstimator: KlEstimator
  /** Multiplies the KL estimate by the ratio, gradient included (DeepSeek-V3.2, arXiv 2512.02556). */
  readonly useBiasCorrectionKl: boolean
  readonly sapoTemperaturePos: number
  readonly sapoTemperatureNeg: number
  readonly vespoKPos: number
  readonly vespoLambdaPos: number
  readonly vespoKNeg: number
  readonly vespoLambdaNeg: number
}

export const defaultGrpoOptions: GrpoOptions = {
  surrogate: 'clip',
  importanceSamplingLevel: 'token',
  epsilonLow: 0.2,
  epsilonHigh: 0.2,
  beta: 0,
  klEstimator: 'k3',
  useBiasCorrectionKl: true,
  sapoTemperaturePos: 1,
  sapoTemperatureNeg: 1.05,
  vespoKPos: 2,
  vespoLambdaPos: 3,
  vespoKNeg: 3,
  vespoLambdaNeg: 2,
}
