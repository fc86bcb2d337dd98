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
};

// logits [vocab] are overwritten; `seen`: ids that the penalty applies to (prompt and completion so far, repeats allowed);
// `u`: a number of uniform().
// Throws Error("NUMERICS") when no logit is finite.
int64_t sample_token(std::vector<float>& logits, const SamplingOptions& options, const std::vector<int32_t>& seen, double u);

}  // namespace vsgrpo
