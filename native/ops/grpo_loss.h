// The GRPO loss family per token, fused into the head's pass (see token_logps.h). Readable definition, term by term under
// the same names: src/losses/grpo.ts.
#pragma once
#include <optional>

#include "ops/grpo_terms.h"
#include "ops/token_logps.h"

namespace vsgrpo {

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

// The same loss for a GPU's kernel, its arrays on `device`.
DeviceTokenLoss grpo_loss_on(const GrpoInputs& in, int64_t targets, at::Device device);

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
