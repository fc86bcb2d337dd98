// The KV cache: prompts' keys and values as the forward pass left them (shared, read-only), and one growing suffix per row.
#pragma once
#include "core/forest.h"
#include "model/decoder.h"
#include "ops/attention.h"

namespace vsgrpo {

class KvCache {
 public:
  KvCache(PromptCache prompts, const Forest& forest, const std::vector<int64_t>& leaves, int64_t rows, int64_t max_new_tokens);

  // Stores k, v [A, KV, D] of one layer as step `step` of the given rows.
  void append(size_t layer, const std::vector<int64_t>& rows, int64_t step, const at::Tensor& k, const at::Tensor& v);

  // What each row reads in one layer: its prompt's chain of segments, then its own `steps` tokens.
  std::vector<std::vector<KeySpan>> spans(size_t layer, const std::vector<int64_t>& rows, int64_t group, int64_t steps) const;

 private:
  struct Run {
    int64_t row, length;
  };
  PromptCache prompts_;
  std::vector<std::vector<Run>> chains_;       // per prompt
  std::vector<at::Tensor> suffix_k_, suffix_v_;  // per layer [rows, max_new_tokens, KV, D]
};

}  // namespace vsgrpo
