// The GRPO loss family at one token, term by term under the names of src/losses/grpo.ts. The CPU's pass and the CUDA kernel
// both compute these; no torch in here.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/host_device.h"

namespace vsgrpo {

enum class Surrogate { kClip, kCispo, kSapo, kVespo };
enum class KlEstimator { kK1, kK2, kK3 };

struct GrpoOptions {
  Surrogate surrogate = Surrogate::kClip;
  bool sequence_level = false;  // a token is judged by the mean log ratio of its sequence (GSPO)
  double epsilon_low = 0.2, epsilon_high = 0.2;
  double delta = std::numeric_limits<double>::infinity();
  double beta = 0;
  KlEstimator kl = KlEstimator::kK3;
  bool bias_correction_kl = true;
  double sapo_temperature_pos = 1, sapo_temperature_neg = 1.05;
  double vespo_k_pos = 2, vespo_lambda_pos = 3, vespo_k_neg = 3, vespo_lambda_neg = 2;
};

// A term of one token's loss and its derivatives: through the log ratio, and by the log-probability itself.
struct GrpoTerm {
  double value = 0, by_ratio = 0, by_logp = 0;
};

struct GrpoPoint {
  double logp, log_ratio, advantage, sequence_weight;
};

// std::min and std::clamp, NaN and all, on both sides.
VSGRPO_HD inline double smaller(double a, double b) { return b < a ? b : a; }
VSGRPO_HD inline double clamped(double x, double low, double high) { return x < low ? low : high < x ? high : x; }

// A policy gradient term: the weight is a constant, only the log-probability moves.
VSGRPO_HD inline GrpoTerm weighted_term(double weight, const GrpoPoint& p) {
  return {-weight * p.advantage * p.logp, 0, -weight * p.advantage};
}

VSGRPO_HD inline GrpoTerm clip_term(double ratio, double advantage, const GrpoOptions& o) {
  const double bounded = smaller(ratio, o.delta) * advantage;
  const double clipped = clamped(ratio, 1 - o.epsilon_low, 1 + o.epsilon_high) * advantage;
  const double slope = -ratio * advantage, bounded_slope = ratio <= o.delta ? slope : 0;
  const double clipped_slope = ratio >= 1 - o.epsilon_low && ratio <= 1 + o.epsilon_high ? slope : 0;
  const double by_ratio = bounded == clipped ? (bounded_slope + clipped_slope) / 2 : bounded < clipped ? bounded_slope : clipped_slope;
  return {-smaller(bounded, clipped), by_ratio, 0};
}

VSGRPO_HD inline GrpoTerm sapo_term(double ratio, double advantage, const GrpoOptions& o) {
  const double temperature = advantage > 0 ? o.sapo_temperature_pos : o.sapo_temperature_neg;
  const double gate = 1 / (1 + exp(-temperature * (ratio - 1)));
  return {-4 / temperature * gate * advantage, -4 * gate * (1 - gate) * ratio * advantage, 0};
}

VSGRPO_HD inline GrpoTerm policy_term(const GrpoPoint& p, const GrpoOptions& o) {
  const double ratio = exp(p.log_ratio);
  switch (o.surrogate) {
    case Surrogate::kClip: return clip_term(ratio, p.advantage, o);
    case Surrogate::kCispo: return weighted_term(smaller(ratio, o.epsilon_high), p);
    case Surrogate::kSapo: return sapo_term(ratio, p.advantage, o);
    case Surrogate::kVespo: return weighted_term(p.sequence_weight, p);
  }
  return {};
}

// KL estimate from d = ref - logp.
VSGRPO_HD inline GrpoTerm kl_term(double d, double ratio, const GrpoOptions& o) {
  GrpoTerm t;
  switch (o.kl) {
    case KlEstimator::kK1: t = {-d, 0, 1}; break;
    case KlEstimator::kK2: t = {d * d / 2, 0, -d}; break;
    case KlEstimator::kK3: t = {expm1(d) - d, 0, -expm1(d)}; break;
  }
  return o.bias_correction_kl ? GrpoTerm{t.value * ratio, t.value * ratio, t.by_logp * ratio} : t;
}

// The inputs' arrays by token, [K] each; null where the loss has none.
struct GrpoTokens {
  const float *weights, *advantages, *old_logps, *ref_logps, *policy_mask, *sampler_ratios, *entropy_bonus;
  GrpoOptions options;

  VSGRPO_HD double log_ratio(int64_t k, float logp) const { return old_logps ? static_cast<double>(logp) - old_logps[k] : 0; }
  VSGRPO_HD double bonus(int64_t k) const { return entropy_bonus ? entropy_bonus[k] : 0; }
  VSGRPO_HD double factor(int64_t k) const {
    const double ratio = sampler_ratios && options.surrogate != Surrogate::kVespo ? sampler_ratios[k] : 1;
    return ratio * (policy_mask ? policy_mask[k] : 1);
  }

  // Policy and KL of token k with their factors.
  VSGRPO_HD GrpoTerm at(int64_t k, const GrpoPoint& p) const {
    const GrpoTerm policy = policy_term(p, options);
    const GrpoTerm kl = options.beta == 0 ? GrpoTerm{} : kl_term(ref_logps[k] - p.logp, exp(p.log_ratio), options);
    const double f = factor(k), b = options.beta;
    return {f * policy.value + b * kl.value, f * policy.by_ratio + b * kl.by_ratio, f * policy.by_logp + b * kl.by_logp};
  }

  // d loss / d logp of token k where it depends on no other token.
  VSGRPO_HD float dlogp(int64_t k, float logp) const {
    const float weight = weights[k];
    // A masked token's ratio may have overflowed: 0 times infinity must not poison the batch.
    if (weight == 0) return 0;
    const GrpoTerm t = at(k, {logp, log_ratio(k, logp), advantages[k], 1});
    return static_cast<float>(weight * (t.by_ratio + t.by_logp));
  }

  VSGRPO_HD float dentropy(int64_t k) const { return static_cast<float>(-bonus(k)); }
};

}  // namespace vsgrpo
