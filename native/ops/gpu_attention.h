// Attention on a GPU: libtorch's flash attention over the calls of a plan, merged by their log-sum-exp. Float32, and shapes
// that flash attention does not take, run through a reference out of ATen's matrix products.
#pragma once
#include "ops/attention_plan.h"

namespace vsgrpo {

// q [M, H, D], k and v [N, KV, D] -> [M, H * D]; differentiable. Rows of q behind the forest's come out as zero.
at::Tensor gpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::shared_ptr<const AttentionPlan> plan);

}  // namespace vsgrpo
