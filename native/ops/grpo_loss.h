// The GRPO loss family per token, fused into the head's pass (see token_logps.h). Readable definition, term by term under
// the same names: src/losses/grpo.ts.
#pragma once
#include <optional>

#include "ops/token_logps.h"

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

// All float32 [K], offsets [B + 1].
struct GrpoInputs {
  at::Tensor weights, advantages;
  std::vector<int64_t> offsets;
  std::optional<at::Tensor> old_logps, ref_logps, policy_mask, sampler_ratios, entropy_bonus;
  GrpoOptions options;
};

// Whether a token's gradient depends on nothing but its own log-probability, so that the head can fuse it.
bool is_per_token(const GrpoInputs& in);

// Gradient callback of a per-token loss. Throws Error("BAD_SHAPE") when an array's length is not K.
TokenLoss grpo_loss(const GrpoInputs& in, int64_t targets);

struct GrpoValue {
  double loss = 0;
  at::Tensor dlogps;  // float32 [K]
};

// Loss and gradient of any loss of the family at given log-probabilities and entropies: the reference of the fused pass,
// and the first half of the losses that look at whole sequences.
GrpoValue grpo_value(const GrpoInputs& in, const TokenStats& stats);

// The same with the gradients that the backward pass uses: the callback's where the loss is per token.
GrpoValue grpo_gradients(const GrpoInputs& in, const TokenStats& stats);

}  // namespace vsgrpo
