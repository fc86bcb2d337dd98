// One call of a plan's attention, forward and backward, on rows that were picked already. Scale D^-0.5.
#pragma once
#include <array>

#include "ops/attention_plan.h"

namespace vsgrpo {

// out [M, H, D] in q's type, lse float32 [H, M] (natural), and what flash attention's backward pass asks back.
struct Attended {
  at::Tensor out, lse, rng_state, unused;
};

Attended attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionCall& call);

// The gradients of q, k and v through this call. `out` and `lse` are those of the merged attention: each call's share of the
// probabilities follows from the merged log-sum-exp alone.
std::array<at::Tensor, 3> attend_backward(const at::Tensor& d_out, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                          const at::Tensor& out, const at::Tensor& lse, const Attended& forward, const AttentionCall& call);

}  // namespace vsgrpo
