// The language-model head, log-softmax and gather in one pass over chunks of rows: [K, V] logits never exist as a whole.
#pragma once
#include "ops/parameter.h"

namespace vsgrpo {

// Per target token, all float32 / uint8 [K].
struct TokenStats {
  at::Tensor logps, entropy, correct;
  at::Tensor logit_mean = {};  // see logit_mean.h; undefined unless a forward pass was asked for it
};

// d loss / d logp and d loss / d entropy of one token.
struct TokenGradient {
  float dlogp = 0;
  float dentropy = 0;
};

// Called once for each target with its index, log-probability and entropy (nats); must be pure and thread-safe.
using TokenLoss = std::function<TokenGradient(int64_t index, float logp, float entropy)>;

// hidden [K, H] (already normed), weight [V, H], targets int32 [K]; logits are divided by `temperature` first.
TokenStats token_logps(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature);

// The same, and the gradient of the loss: returns d loss / d hidden [K, H] in d_hidden, adds to weight.grad.
TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const TokenLoss& loss, at::Tensor& d_hidden);

// The memory that a chunk's logits lie in. While somebody holds it, all passes of the thread use the same: pages from the
// operating system take a third of the time that the product takes which fills them.
std::shared_ptr<at::Tensor> logits_memory();

// Log-sum-exp of one row of logits / temperature, by the same code: what the sampler's log-probabilities are made of.
float row_lse(const float* logits, int64_t vocab, float temperature);

}  // namespace vsgrpo
