#include "ops/grpo_loss.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vsgrpo {
namespace {

const float* data_or_null(const std::optional<at::Tensor>& tensor) { return tensor ? tensor->const_data_ptr<float>() : nullptr; }

void check_length(const at::Tensor& tensor, int64_t targets, const char* name) {
  VS_CHECK(tensor.numel() == targets, "BAD_SHAPE", "[grpo_loss] ", name, ": expected ", targets, " values, got ", tensor.numel());
}

// The loss of token k before its weight.
TokenLossValue token_at(const GrpoInputs& in, int64_t k, float logp) {
  const float *old_logps = data_or_null(in.old_logps), *ref_logps = data_or_null(in.ref_logps);
  return grpo_token(logp, old_logps ? old_logps[k] : logp, in.advantages.const_data_ptr<float>()[k], ref_logps ? ref_logps[k] : logp, in);
}

}  // namespace

TokenLossValue grpo_token(float logp, float old_logp, float advantage, float ref_logp, const GrpoInputs& in) {
  const float ratio = std::exp(logp - old_logp);
  const float clipped = std::clamp(ratio, 1.0f - static_cast<float>(in.epsilon_low), 1.0f + static_cast<float>(in.epsilon_high));
  const bool active = ratio * advantage <= clipped * advantage;  // the unclipped branch is the minimum: gradient flows
  const float d = ref_logp - logp, beta = static_cast<float>(in.beta);
  return {-std::min(ratio * advantage, clipped * advantage) + beta * (std::expm1(d) - d),
          (active ? -advantage * ratio : 0.0f) - beta * std::expm1(d)};
}

TokenLoss grpo_loss(const GrpoInputs& in, int64_t targets) {
  check_length(in.weights, targets, "weights");
  check_length(in.advantages, targets, "advantages");
  if (in.old_logps) check_length(*in.old_logps, targets, "oldLogps");
  if (in.ref_logps) check_length(*in.ref_logps, targets, "refLogps");
  VS_CHECK(in.beta == 0 || in.ref_logps, "BAD_ARGUMENT", "[grpo_loss] beta ", in.beta, " needs refLogps");
  return [in](int64_t k, float logp, float) {
    const float weight = in.weights.const_data_ptr<float>()[k];
    // A masked token's ratio may have overflowed: 0 times infinity must not poison the batch.
    return weight == 0 ? TokenGradient{} : TokenGradient{weight * token_at(in, k, logp).dlogp, 0.0f};
  };
}

double grpo_loss_value(const GrpoInputs& in, const at::Tensor& logps) {
  double sum = 0;
  const float *weights = in.weights.const_data_ptr<float>(), *values = logps.const_data_ptr<float>();
  for (int64_t k = 0; k < logps.numel(); ++k) {
    if (weights[k] != 0) sum += static_cast<double>(weights[k]) * token_at(in, k, values[k]).loss;
  }
  return sum;
}

}  // namespace vsgrpo
