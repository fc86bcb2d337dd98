// bfloat16 matrix products on the CPU through oneDNN's block kernels, which libtorch carries: about twice libtorch's own
// linear on processors with AVX-512 bf16, and sums go straight into fp32 gradients. fp32 accumulation throughout.
#pragma once
#include "core/pch.h"

namespace vsgrpo::bf16 {

// Whether this processor has them. The functions below need it.
bool available();

// out [M, N] (contiguous) = a [M, K] b [N, K]^T + bias [N] (may be undefined)
void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias);

// a [M, K] b [K, N] -> [M, N]
at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b);

// c [M, N] (float32 or bfloat16) += a [K, M]^T b [K, N]
void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b);

}  // namespace vsgrpo::bf16
