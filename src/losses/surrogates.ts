/**
 * The policy term of the GRPO family: what one token is charged for its log ratio s = logp - oldLogp (its own, or its
 * sequence's) and advantage A. With r = e^s:
 *
 *   clip    -min(min(r, delta) A, clip(r, 1 - epsilonLow, 1 + epsilonHigh) A)
 *   cispo   -[min(r, epsilonHigh)] A logp            [x]: a constant in the gradient
 *   sapo    -(4 / tau) sigmoid(tau (r - 1)) A        tau by the sign of A
 *   vespo   -[phi(w)] A logp                         phi by the weight w of the whole sequence, see `vespoWeight`
 *
 * TRL 1.13 `GRPOTrainer._compute_loss`; PPO's clip (arXiv 1707.06347), its two-sided form (INTELLECT-2, arXiv
 * 2505.07291), CISPO (MiniMax-M1, arXiv 2506.13585), SAPO (arXiv 2511.20347).
 */
import type { GrpoOptions, LossType, Surrogate } from './grpo-options.js'

/** A token's term and its derivatives: through the log ratio, and by the log-probability itself. */
export interface Term {
  readonly value: number
  readonly byRatio: number
  readonly byLogp: number
}

export interface PolicyPoint {
  readonly logp: number
  /** s above. */
  readonly logRatio: number
  readonly advantage: number
  /** vespo's phi of the sequence; unused elsewhere. */
  readonly sequenceWeight: number
}

/** The loss types share four policy terms; the rest of a type is how tokens are averaged (see `tokenWeights`). */
export function surrogateOf(lossType: LossType): Surrogate {
  return lossType === 'cispo' || lossType === 'sapo' || lossType === 'vespo' ? lossType : 'clip'
}

export function policyTerm(point: PolicyPoint, options: GrpoOptions): Term {
  const { logp, advantage, sequenceWeight } = point
  const ratio = Math.exp(point.logRatio)
  switch (options.surrogate) {
    case 'clip':
      return clipTerm(ratio, advantage, options)
    case 'cispo':
      return weighted(Math.min(ratio, options.epsilonHigh), advantage, logp)
    case 'sapo':
      return sapoTerm(ratio, advantage, options)
    case 'vespo':
      return weighted(sequenceWeight, advantage, logp)
  }
}

function clipTerm(ratio: number, advantage: number, options: GrpoOptions): Term {
  const { epsilonLow, epsilonHigh, delta = Number.POSITIVE_INFINITY } = options
  const bounded = Math.min(ratio, delta) * advantage
  const clipped = Math.min(Math.max(ratio, 1 - epsilonLow), 1 + epsilonHigh) * advantage
  const slope = -ratio * advantage
  const boundedSlope = ratio <= delta ? slope : 0
  const clippedSlope = ratio >= 1 - epsilonLow && ratio <= 1 + epsilonHigh ? slope : 0
  // Where both are equal, inside the clip, their slopes are too, unless delta lies there: autograd halves them.
  const byRatio =
    bounded === clipped ? (boundedSlope + clippedSlope) / 2 : bounded < clipped ? boundedSlope : clippedSlope
  return { value: -Math.min(bounded, clipped), byRatio, byLogp: 0 }
}

function sapoTerm(ratio: number, advantage: number, options: GrpoOptions): Term {
  const temperature = advantage > 0 ? options.sapoTemperaturePos : options.sapoTemperatureNeg
  const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)))
  return {
    value: (-4 / temperature) * gate * advantage,
    byRatio: -4 * gate * (1 - gate) * ratio * advantage,
    byLogp: 0,
  }
}

/** A policy gradient term: the weight is a constant, only the log-probability moves. */
function weighted(weight: number, advantage: number, logp: number): Term {
  return { value: -weight * advantage * logp, byRatio: 0, byLogp: -weight * advantage }
}

const smallestLogWeight = Math.log(1e-8)

/** vespo's phi(w) = e^lambda w^k e^(-lambda w), 1 at w = 1, from log w = the sum of the sequence's log ratios. */
export function vespoWeight(sumOfLogRatios: number, advantage: number, options: GrpoOptions): number {
  const [k, lambda] =
    advantage >= 0 ? [options.vespoKPos, options.vespoLambdaPos] : [options.vespoKNeg, options.vespoLambdaNeg]
  const logWeight = clampLogRatio(sumOfLogRatios)
  const bounded = Math.max(lambda, 1e-4)
  return Math.exp(bounded + k * logWeight - bounded * Math.exp(logWeight))
}

/** The range in which vespo takes logarithms of weights. */
export function clampLogRatio(value: number, smallest = smallestLogWeight): number {
  return Math.min(Math.max(value, smallest), 20)
}
