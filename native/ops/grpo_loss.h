// The GRPO objective of one token, fused into the head's pass (see token_logps.h). Readable definition: src/losses/grpo.ts.
//   ratio r = exp(logp - old) (1 when old is absent), surrogate = -min(r A, clip(r, 1 - low, 1 + high) A)
//   KL (k3) with d = ref - logp: e^d - d - 1;  loss = weight (surrogate + beta KL)
#pragma once
#include <optional>

#include "ops/token_logps.h"

namespace vsgrpo {

// All float32 [K].
struct GrpoInputs {
  at::Tensor weights, advantages;
  std::optional<at::Tensor> old_logps, ref_logps;
  double beta = 0, epsilon_low = 0.2, epsilon_high = 0.2;
};

struct TokenLossValue {
  float loss;
  float dlogp;
};

TokenLossValue grpo_token(float logp, float old_logp, float advantage, float ref_logp, const GrpoInputs& inputs);

// Gradient callback; adds nothing up itself. Throws Error("BAD_SHAPE") when an array's length is not K.
TokenLoss grpo_loss(const GrpoInputs& inputs, int64_t targets);

// Sum of the token losses at the given log-probabilities, in double.
double grpo_loss_value(const GrpoInputs& inputs, const at::Tensor& logps);

}  // namespace vsgrpo
