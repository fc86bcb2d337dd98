// Draws one token from a row of logits, with transformers' rules in transformers' order: repetition penalty, temperature,
// top-k, top-p, min-p.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/uniform.h"

namespace vsgrpo {

struct SamplingOptions {
  float temperature = 1;         // 0 = greedy
  int64_t top_k = 0;             // 0 = off; ties with the k-th logit are kept
  float top_p = 1;               // 1 = off
  float min_p = 0;               // 0 = off
  float repetition_penalty = 1;  // 1 = off

  // Whether tokens are drawn from softmax(logits / temperature) itself.
  bool is_plain() const { return temperature > 0 && top_k == 0 && top_p >= 1 && min_p <= 0 && repetition_penalty == 1; }
  bool operator==(const SamplingOptions&) const = default;
};

// A token, its log-probability under the distribution that it was drawn from, and that one's log-sum-exp.
struct Drawn {
  int64_t token;
  float logp, lse;
};

// Inverse of the cumulative distribution of softmax(logits): the first token whose running probability exceeds u. The logits
// are overwritten. Probabilities are summed piece by piece, so that only the piece that holds the answer is walked token by
// token. Throws Error("NUMERICS") when a logit is NaN or the largest is not finite.
Drawn draw_token(std::vector<float>& logits, double u);

// logits [vocab] are overwritten; `seen`: ids that the penalty applies to (prompt and completion so far, repeats allowed);
// `u`: a number of uniform(). The distribution is what the rules leave (vLLM's processed_logprobs): the greedy choice's is
// softmax of the penalized logits.
// Throws Error("NUMERICS") when no logit is finite.
Drawn sample_token(std::vector<float>& logits, const SamplingOptions& options, const std::vector<int32_t>& seen, double u);

}  // namespace vsgrpo
