// Rotary position embeddings: the angles of M-RoPE (text) and of the 2-D vision rope, and their application to q and k.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// cos and sin, float32 [N, D] each, or [N, D / 2] on a GPU: both halves are the same. Already rounded to the model's type
// where the model applies them in that type.
struct RopeTable {
  at::Tensor cos, sin;
  bool round_products;  // bf16 text: every product is rounded, as q * cos + rotate_half(q) * sin does in bf16
};

// theta^(-2j/dim) for j < dim / 2, computed as torch does: float32 powers, then the reciprocal. float32 [dim / 2] on the CPU.
at::Tensor inverse_frequencies(int64_t dim, double theta);

// positions int32 [3, N], where the table shall be; sections (t, h, w) sum to head_dim / 2: frequency j turns with component section(j).
RopeTable mrope_table(const at::Tensor& positions, int64_t head_dim, double theta, const std::vector<int64_t>& sections,
                      at::ScalarType dtype);

// rows, cols float32 [N] in patch units; half of the frequencies turn with the row, half with the column (theta 10000).
RopeTable vision_rope_table(const at::Tensor& rows, const at::Tensor& cols, int64_t head_dim);

struct Qkv {
  at::Tensor q, k, v;  // [N, heads, D], [N, kv_heads, D], [N, kv_heads, D]
};

// qkv [N, (heads + 2 kv_heads) D]: splits the fused projection and rotates q and k.
Qkv split_and_rotate(const at::Tensor& qkv, const RopeTable& rope, int64_t heads, int64_t kv_heads);

}  // namespace vsgrpo
