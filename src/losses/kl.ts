/** Estimators of the KL divergence from the policy to the reference, one token at a time. */
import type { KlEstimator } from './grpo-options.js'

/**
 * KL estimate from d = refLogp - logp, and its derivative by logp (Schulman, "Approximating KL divergence").
 * k1 = -d: unbiased, may be negative. k2 = d^2 / 2: biased, small variance. k3 = e^d - d - 1: unbiased, never negative;
 * the only one in TRL and in DeepSeekMath (arXiv 2402.03300, equation 4).
 */
export function klTerm(estimator: KlEstimator, d: number): { readonly value: number; readonly byLogp: number } {
  if (estimator === 'k1') return { value: -d, byLogp: 1 }
  if (estimator === 'k2') return { value: (d * d) / 2, byLogp: -d }
  return { value: Math.expm1(d) - d, byLogp: -Math.expm1(d) }
}
