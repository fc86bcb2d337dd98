// Attention over a forest of segments: a row sees its own segment (causally, or all of it) and all rows of every ancestor.
// Grouped queries: query head h uses key/value head h / (heads / kv_heads). bfloat16 is multiplied as such where the
// processor can; scores, softmax and sums are fp32.
#pragma once
#include "ops/attention_plan.h"

namespace vsgrpo {

// q [M, H, D], k and v [N, KV, D] -> [M, H * D]. Scale D^-0.5. The queries are those of the last M rows, and begin with a
// segment. Rows behind the forest's are padding: their output is zero.
at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Forest& forest, bool causal);
// The same for a pass whose layers share a plan.
at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::shared_ptr<const AttentionPlan>& plan);

// What decoding reads in one layer: the keys and values of the prompts, shared, and what each row has added since. In
// the type that attention is computed in.
struct KvCache {
  at::Tensor k, v_t;              // [N, KV, D], and [KV * D, at least N + 16]
  at::Tensor suffix_k, suffix_v;  // [rows, max new tokens, KV, D]

  // From the prompts' keys and values [N, KV, D].
  KvCache(const at::Tensor& prompt_k, const at::Tensor& prompt_v, int64_t rows, int64_t max_new_tokens);
  // k, v [A, KV, D] become token `step` of the given rows.
  void append(const std::vector<int64_t>& rows, int64_t step, const at::Tensor& new_k, const at::Tensor& new_v);
};

// A row that decodes: its place in the cache, and the leaf segment of its prompt.
struct DecodeRow {
  int64_t row, leaf;
};

// The newest token of each row over its prompt and its own first `steps` tokens: q [A, H, D], row i for rows[i] ->
// [A, H * D]. Rows of one prompt that follow each other read it together. No gradients. Rows of q behind the last are
// padding: zero.
at::Tensor decode_attention(const at::Tensor& q, const Forest& prompts, const KvCache& cache, const std::vector<DecodeRow>& rows,
                            int64_t steps);

}  // namespace vsgrpo
