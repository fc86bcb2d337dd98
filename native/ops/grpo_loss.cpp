#include "ops/grpo_loss.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vsgrpo {
namespace {

double clamp_log_ratio(double value, double smallest) { return clamped(value, smallest, 20.0); }
const double kSmallestLogWeight = std::log(1e-8);

double vespo_weight(double sum_of_log_ratios, double advantage, const GrpoOptions& o) {
  const double k = advantage >= 0 ? o.vespo_k_pos : o.vespo_k_neg;
  const double lambda = std::max(advantage >= 0 ? o.vespo_lambda_pos : o.vespo_lambda_neg, 1e-4);
  const double log_weight = clamp_log_ratio(sum_of_log_ratios, kSmallestLogWeight);
  return std::exp(lambda + k * log_weight - lambda * std::exp(log_weight));
}

const float* data_or_null(const std::optional<at::Tensor>& tensor) { return tensor ? tensor->const_data_ptr<float>() : nullptr; }

GrpoTokens tokens_of(const GrpoInputs& in) {
  return {in.weights.const_data_ptr<float>(), in.advantages.const_data_ptr<float>(), data_or_null(in.old_logps), data_or_null(in.ref_logps),
          data_or_null(in.policy_mask),       data_or_null(in.sampler_ratios),       data_or_null(in.entropy_bonus), in.options};
}

void check_length(const std::optional<at::Tensor>& tensor, int64_t targets, const char* name) {
  if (tensor) {
    VS_CHECK(tensor->numel() == targets, "BAD_SHAPE", "[grpo_loss] ", name, ": expected ", targets, " values, got ", tensor->numel());
  }
}

void check(const GrpoInputs& in, int64_t targets) {
  check_length(in.weights, targets, "weights");
  check_length(in.advantages, targets, "advantages");
  check_length(in.old_logps, targets, "oldLogps");
  check_length(in.ref_logps, targets, "refLogps");
  check_length(in.policy_mask, targets, "policyMask");
  check_length(in.sampler_ratios, targets, "samplerRatios");
  check_length(in.entropy_bonus, targets, "entropyBonus");
  VS_CHECK(in.options.beta == 0 || in.ref_logps, "BAD_ARGUMENT", "[grpo_loss] beta ", in.options.beta, " needs refLogps");
  VS_CHECK(!in.offsets.empty() && in.offsets.front() == 0 && in.offsets.back() == targets && std::is_sorted(in.offsets.begin(), in.offsets.end()),
           "BAD_SHAPE", "[grpo_loss] offsets: expected rising numbers from 0 to ", targets);
}

// What the tokens of one completion have in common.
struct Row {
  int64_t tokens = 0;
  double log_ratio = 0, sequence_weight = 1;
};

Row read_row(const GrpoTokens& tokens, const float* logps, int64_t begin, int64_t end) {
  Row row;
  double log_weight = 0;
  for (int64_t k = begin; k < end; ++k) {
    if (tokens.weights[k] == 0) continue;
    ++row.tokens;
    const double log_ratio = tokens.log_ratio(k, logps[k]);
    row.log_ratio += log_ratio;
    log_weight += clamp_log_ratio(log_ratio, -20);
    if (tokens.sampler_ratios) log_weight += clamp_log_ratio(std::log(tokens.sampler_ratios[k]), kSmallestLogWeight);
  }
  row.log_ratio /= static_cast<double>(std::max<int64_t>(1, row.tokens));
  if (row.tokens > 0) row.sequence_weight = vespo_weight(log_weight, tokens.advantages[begin], tokens.options);
  return row;
}

}  // namespace

bool is_per_token(const GrpoInputs& in) { return !in.options.sequence_level && in.options.surrogate != Surrogate::kVespo; }

TokenLoss grpo_loss(const GrpoInputs& inputs, int64_t targets) {
  check(inputs, targets);
  return [inputs](int64_t k, float logp, float) {
    const GrpoTokens tokens = tokens_of(inputs);
    return TokenGradient{tokens.dlogp(k, logp), tokens.dentropy(k)};
  };
}

DeviceTokenLoss grpo_loss_on(const GrpoInputs& in, int64_t targets, at::Device device) {
  check(in, targets);
  const auto on_device = [&](const std::optional<at::Tensor>& array) { return array ? upload(*array, device) : at::Tensor(); };
  const GrpoOptions& o = in.options;
  DeviceTokenLoss loss;
  loss.weights = on_device(in.weights);
  loss.advantages = on_device(in.advantages);
  loss.old_logps = on_device(in.old_logps);
  loss.ref_logps = on_device(in.ref_logps);
  loss.policy_mask = on_device(in.policy_mask);
  loss.sampler_ratios = on_device(in.sampler_ratios);
  loss.entropy_bonus = on_device(in.entropy_bonus);
  loss.options = {static_cast<int32_t>(o.surrogate), static_cast<int32_t>(o.kl), o.bias_correction_kl, o.epsilon_low, o.epsilon_high,
                  o.delta, o.beta, o.sapo_temperature_pos, o.sapo_temperature_neg};
  return loss;
}

GrpoValue grpo_value(const GrpoInputs& in, const TokenStats& stats) {
  check(in, stats.logps.numel());
  const GrpoTokens tokens = tokens_of(in);
  const bool sequence = in.options.sequence_level;
  const float *logps = stats.logps.const_data_ptr<float>(), *entropy = stats.entropy.const_data_ptr<float>();
  GrpoValue out{0, at::zeros_like(stats.logps)};
  float* dlogps = out.dlogps.mutable_data_ptr<float>();
  for (size_t b = 0; b + 1 < in.offsets.size(); ++b) {
    const int64_t begin = in.offsets[b], end = in.offsets[b + 1];
    const Row row = read_row(tokens, logps, begin, end);
    double through_ratio = 0;
    for (int64_t k = begin; k < end; ++k) {
      out.loss -= tokens.bonus(k) * entropy[k];
      const double weight = tokens.weights[k];
      if (weight == 0) continue;
      const double log_ratio = sequence ? row.log_ratio : tokens.log_ratio(k, logps[k]);
      const GrpoTerm t = tokens.at(k, {logps[k], log_ratio, tokens.advantages[k], row.sequence_weight});
      out.loss += weight * t.value;
      through_ratio += weight * t.by_ratio;
      dlogps[k] = static_cast<float>(weight * (t.by_logp + (sequence ? 0 : t.by_ratio)));
    }
    // The ratio of a sequence is the mean over its tokens: each has an equal part in it.
    for (int64_t k = begin; sequence && k < end; ++k) {
      if (tokens.weights[k] != 0) dlogps[k] += static_cast<float>(through_ratio / static_cast<double>(row.tokens));
    }
  }
  return out;
}

GrpoValue grpo_gradients(const GrpoInputs& in, const TokenStats& stats) {
  GrpoValue out = grpo_value(in, stats);
  if (!is_per_token(in)) return out;
  const TokenLoss loss = grpo_loss(in, stats.logps.numel());
  const float *logps = stats.logps.const_data_ptr<float>(), *entropy = stats.entropy.const_data_ptr<float>();
  float* dlogps = out.dlogps.mutable_data_ptr<float>();
  for (int64_t k = 0; k < stats.logps.numel(); ++k) dlogps[k] = loss(k, logps[k], entropy[k]).dlogp;
  return out;
}

}  // namespace vsgrpo
