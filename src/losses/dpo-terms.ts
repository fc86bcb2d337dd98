/**
 * What one pair of answers is charged. With the log ratio r = logp - refLogp of an answer, its score s = f'(e^r) (for
 * reverse_kl: r itself), its length n, and D = s_chosen - s_rejected, sigma the logistic function, e the label smoothing:
 *
 *   sigmoid       -log sigma(beta D)                                    DPO, arXiv 2305.18290
 *   sigmoid_norm  -log sigma(beta (s_c / n_c - s_r / n_r))
 *   hinge         max(0, 1 - beta D)                                    SLiC, arXiv 2305.10425
 *   ipo           (s_c / n_c - s_r / n_r - 1 / (2 beta))^2              arXiv 2310.12036
 *   exo_pair      KL of (q, 1 - q) from (1 - e, e), q = sigma(beta D)   arXiv 2402.00856
 *   robust        (-(1 - e) log sigma(beta D) + e log sigma(-beta D)) / (1 - 2 e)    arXiv 2403.00409
 *   discopop      -(1 - m) log sigma(beta D) + m e^(-beta D), m = sigma(beta D / tau)    arXiv 2406.08414
 *   nca_pair      -log sigma(beta r_c) - log sigma(-beta r_c) / 2 - log sigma(-beta r_r) / 2    arXiv 2402.05369
 *   bco_pair      -log sigma(beta r_c) - log sigma(-beta r_r)           arXiv 2404.04656
 *   sppo_hard     (r_c - 1 / (2 beta))^2 + (r_r + 1 / (2 beta))^2       arXiv 2405.00675
 *   apo_zero      1 - sigma(beta r_c) + sigma(beta r_r)                 arXiv 2408.06266, equation 7
 *   apo_down      sigma(beta r_c) + 1 - sigma(beta (r_c - r_r))         the same, equation 8
 *   aot           -(1 - e) log sigma(x) - e log sigma(-x), x = beta (the pair's logp_c - logp_r minus the reference's of
 *                 equal rank among the pairs)                           arXiv 2406.05882
 *   aot_unpaired  the same with x = beta (r_c minus the r_r of equal rank)
 *
 * TRL 1.13 `DPOTrainer._compute_loss`. `sft` is charged by the token, in `dpo.ts`.
 */
import type { DpoLossType, DpoOptions } from './dpo-options.js'

/** A charge and its derivatives by the two log ratios. */
export interface PairTerm {
  readonly value: number
  readonly byChosen: number
  readonly byRejected: number
}

/** One pair, its log-probabilities summed over the answers' tokens. */
export interface Pair {
  readonly logps: Sides
  readonly refLogps: Sides
  /** Tokens. */
  readonly lengths: Sides
  /** What the sorting losses hold against it; see `rankPairs`. */
  readonly opponents?: Opponents
}

export interface Sides {
  readonly chosen: number
  readonly rejected: number
}

/** Values of other pairs that have the same rank among the pairs of the batch: constants of a step. */
export interface Opponents {
  /** The reference's logp_c - logp_r of the rank that the policy's has. */
  readonly margin: number
  /** The r_r of the rank that this pair's r_c has. */
  readonly chosen: number
  /** The r_c of the rank that this pair's r_r has. */
  readonly rejected: number
}

/** A function's value and slope. */
interface Slope {
  readonly value: number
  readonly slope: number
}

export function pairTerm(pair: Pair, type: DpoLossType, options: DpoOptions): PairTerm {
  const { beta } = options
  const [c, r] = [logRatio(pair, 'chosen'), logRatio(pair, 'rejected')]
  switch (type) {
    case 'sft':
      return { value: 0, byChosen: 0, byRejected: 0 }
    case 'nca_pair':
      return apart(
        scaled(ncaChosen, beta, c),
        scaled((x) => times(minusLogSigmoid(-x), 0.5, -0.5), beta, r),
      )
    case 'bco_pair':
      return apart(
        scaled(minusLogSigmoid, beta, c),
        scaled((x) => times(minusLogSigmoid(-x), 1, -1), beta, r),
      )
    case 'sppo_hard':
      return apart(square(c - 0.5 / beta), square(r + 0.5 / beta))
    case 'apo_zero':
      return apart(
        scaled((x) => times(logistic(-x), 1, -1), beta, c),
        scaled(logistic, beta, r),
      )
    case 'apo_down':
      return sum(
        apart(scaled(logistic, beta, c), flat),
        between(scaled((x) => times(logistic(-x), 1, -1), beta, c - r)),
      )
    case 'aot':
      return between(scaled(smoothed(options), beta, margin(pair.logps) - opponentsOf(pair).margin))
    case 'aot_unpaired':
      return unpaired(c, r, opponentsOf(pair), options)
    default:
      return scoreTerm(pair, type, options)
  }
}

/** The losses of the difference of the scores. */
function scoreTerm(pair: Pair, type: DpoLossType, options: DpoOptions): PairTerm {
  const isMean = type === 'ipo' || type === 'sigmoid_norm'
  const [perChosen, perRejected] = isMean
    ? [1 / Math.max(1, pair.lengths.chosen), 1 / Math.max(1, pair.lengths.rejected)]
    : [1, 1]
  const chosen = scoreOf(logRatio(pair, 'chosen'), options)
  const rejected = scoreOf(logRatio(pair, 'rejected'), options)
  const { value, slope } = differenceLoss(chosen.value * perChosen - rejected.value * perRejected, type, options)
  return { value, byChosen: slope * chosen.slope * perChosen, byRejected: -slope * rejected.slope * perRejected }
}

function differenceLoss(difference: number, type: DpoLossType, options: DpoOptions): Slope {
  const { beta, labelSmoothing: e, discopopTau: tau } = options
  switch (type) {
    case 'hinge':
      return scaled((x) => (x < 1 ? { value: 1 - x, slope: -1 } : flat), beta, difference)
    case 'ipo':
      return square(difference - 0.5 / beta)
    case 'exo_pair':
      return scaled((x) => exo(x, e), beta, difference)
    case 'robust':
      return scaled((x) => robust(x, e), beta, difference)
    case 'discopop':
      return scaled((x) => discopop(x, tau), beta, difference)
    default:
      return scaled(minusLogSigmoid, beta, difference)
  }
}

/**
 * f'(t) at t = e^logRatio, the reward that a divergence implies (f-DPO, arXiv 2309.16240). reverse_kl: log t. forward_kl:
 * 1 - 1 / t. js_divergence: log(2 t / (t + 1)). alpha_divergence: (t^(alpha - 1) - 1) / (alpha - 1), the exponent cut at 80.
 */
export function scoreOf(logRatio: number, { fDivergence, fAlphaDivergenceCoef }: DpoOptions): Slope {
  const power = fAlphaDivergenceCoef - 1
  if (fDivergence === 'forward_kl') return { value: -Math.expm1(-logRatio), slope: Math.exp(-logRatio) }
  if (fDivergence === 'js_divergence') {
    const { value, slope } = minusLogSigmoid(logRatio)
    return { value: Math.LN2 - value, slope: -slope }
  }
  if (fDivergence === 'alpha_divergence' && Math.abs(power) >= 1e-6) {
    const exponent = Math.min(power * logRatio, 80)
    return { value: Math.expm1(exponent) / power, slope: power * logRatio <= 80 ? Math.exp(exponent) : 0 }
  }
  return { value: logRatio, slope: 1 }
}

function unpaired(chosen: number, rejected: number, opponents: Opponents, options: DpoOptions): PairTerm {
  // Every comparison is counted once, where its chosen answer is; its rejected one has a slope of its own.
  const own = scaled(smoothed(options), options.beta, chosen - opponents.chosen)
  const other = scaled(smoothed(options), options.beta, opponents.rejected - rejected)
  return { value: own.value, byChosen: own.slope, byRejected: -other.slope }
}

function opponentsOf({ opponents }: Pair): Opponents {
  if (!opponents) throw new RangeError('[dpoLoss] aot and aot_unpaired need opponents: give what rankPairs says')
  return opponents
}

export function logRatio({ logps, refLogps }: Pair, side: keyof Sides): number {
  return logps[side] - refLogps[side]
}

export function margin({ chosen, rejected }: Sides): number {
  return chosen - rejected
}

const flat: Slope = { value: 0, slope: 0 }

/** f(factor x) and its slope by x. */
function scaled(f: (x: number) => Slope, factor: number, x: number): Slope {
  const { value, slope } = f(factor * x)
  return { value, slope: factor * slope }
}

function times({ value, slope }: Slope, byValue: number, bySlope: number): Slope {
  return { value: value * byValue, slope: slope * bySlope }
}

function square(x: number): Slope {
  return { value: x * x, slope: 2 * x }
}

/** A charge for each answer. */
function apart(chosen: Slope, rejected: Slope): PairTerm {
  return { value: chosen.value + rejected.value, byChosen: chosen.slope, byRejected: rejected.slope }
}

/** A charge for the chosen answer's log ratio minus the rejected one's. */
function between({ value, slope }: Slope): PairTerm {
  return { value, byChosen: slope, byRejected: -slope }
}

function sum(a: PairTerm, b: PairTerm): PairTerm {
  return {
    value: a.value + b.value,
    byChosen: a.byChosen + b.byChosen,
    byRejected: a.byRejected + b.byRejected,
  }
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))
}

function logistic(x: number): Slope {
  return { value: sigmoid(x), slope: sigmoid(x) * sigmoid(-x) }
}

function minusLogSigmoid(x: number): Slope {
  return { value: Math.log1p(Math.exp(-Math.abs(x))) + Math.max(0, -x), slope: -sigmoid(-x) }
}

function ncaChosen(x: number): Slope {
  const [up, down] = [minusLogSigmoid(x), minusLogSigmoid(-x)]
  return { value: up.value + down.value / 2, slope: up.slope - down.slope / 2 }
}

/** (1 - e) of the pairs are as they are labelled, e of them the other way round. */
function smoothed({ labelSmoothing: e }: DpoOptions): (x: number) => Slope {
  return (x) => {
    const [up, down] = [minusLogSigmoid(x), minusLogSigmoid(-x)]
    return { value: (1 - e) * up.value + e * down.value, slope: (1 - e) * up.slope - e * down.slope }
  }
}

function robust(x: number, e: number): Slope {
  const [up, down] = [minusLogSigmoid(x), minusLogSigmoid(-x)]
  const scale = 1 / (1 - 2 * e)
  return { value: scale * ((1 - e) * up.value - e * down.value), slope: scale * ((1 - e) * up.slope + e * down.slope) }
}

function exo(x: number, e: number): Slope {
  const [q, p] = [sigmoid(x), sigmoid(-x)]
  const up = -minusLogSigmoid(x).value - Math.log1p(-e)
  const down = -minusLogSigmoid(-x).value - Math.log(e)
  return { value: q * up + p * down, slope: q * p * (up - down) }
}

function discopop(x: number, tau: number): Slope {
  const m = scaled(logistic, 1 / tau, x)
  const up = minusLogSigmoid(x)
  const steep = Math.exp(-x)
  return {
    value: up.value * (1 - m.value) + steep * m.value,
    slope: up.slope * (1 - m.value) - steep * m.value + (steep - up.value) * m.slope,
  }
}
