// Matrix products of activations and weights, in the fastest way that this machine has for their type.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// a [M, K] b [N, K]^T + bias [N] -> [M, N] in a's type, fp32 accumulation.
at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});
// The same without bias into `out`, contiguous: large results keep their memory from one call to the next.
void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

// a [M, K] b [K, N] -> [M, N]
at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b);

// c [M, N] (float32 or bfloat16) += a [K, M]^T b [K, N]
void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b);

}  // namespace vsgrpo
