// Attention over a forest of segments: a row sees its own segment (causally, or all of it) and all rows of every ancestor.
// Grouped queries: query head h uses key/value head h / (heads / kv_heads). Everything is computed in fp32.
#pragma once
#include "core/forest.h"
#include "core/pch.h"

namespace vsgrpo {

// q [N, H, D], k and v [N, KV, D] -> [N, H * D]. Scale D^-0.5. Rows behind the forest's are padding: their output is zero.
at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Forest& forest, bool causal);

// Keys and values that one decoding row reads: contiguous runs of rows [length, KV, D] in fp32.
struct KeySpan {
  const float* k;
  const float* v;
  int64_t length;
};

// One new token per row: q float32 [A, H, D] and the spans of each row -> [A, H * D]. No gradients. Rows behind the last
// spans are padding: zero.
at::Tensor decode_attention(const at::Tensor& q, int64_t kv_heads, const std::vector<std::vector<KeySpan>>& spans);

}  // namespace vsgrpo
