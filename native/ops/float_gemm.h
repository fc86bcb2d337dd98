// float32 matrix products on the CPU through oneDNN's block kernels, which libtorch carries. They are few whatever the rows,
// where oneDNN's own products compile and keep a kernel for every shape; and a row's result does not depend on the others.
#pragma once
#include "core/pch.h"

namespace vsgrpo::float_gemm {

// out [M, N] (unit stride in a row) = a [M, K] b [N, K]^T + bias [N] (may be undefined)
void matmul_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias);

// c [M, N] += a [K, M]^T b [K, N]
void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b);

}  // namespace vsgrpo::float_gemm
