// The language-model head, log-softmax and gather in one pass over chunks of rows: [K, V] logits never exist as a whole.
#pragma once
#include "core/gpu.h"
#include "ops/parameter.h"

namespace vsgrpo {

// Per target token, all float32 / uint8 [K], where the model is.
struct TokenStats {
  at::Tensor logps, entropy, correct;
  at::Tensor logit_mean = {};  // see logit_mean.h; undefined unless a forward pass was asked for it

  // Waits for a GPU.
  TokenStats cpu() const;
};

// d loss / d logp and d loss / d entropy of one token.
struct TokenGradient {
  float dlogp = 0;
  float dentropy = 0;
};

// Called once for each target with its index, log-probability and entropy (nats); must be pure and thread-safe.
using TokenLoss = std::function<TokenGradient(int64_t index, float logp, float entropy)>;

// hidden [K, H] (already normed), weight [V, H], targets int32 [K] on the CPU; logits are divided by `temperature` first.
TokenStats token_logps(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature);

// The same, and the gradient of the loss: returns d loss / d hidden [K, H] in d_hidden, adds to weight.grad.
TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const TokenLoss& loss, at::Tensor& d_hidden);
// The same on a GPU.
TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const DeviceTokenLoss& loss, at::Tensor& d_hidden);

// Log-sum-exp of one row of logits, by the same code: what a greedy choice's log-probability is made of.
float row_lse(const float* logits, int64_t vocab);

}  // namespace vsgrpo
