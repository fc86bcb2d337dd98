// The matrix product under every linear layer.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// a [M, K] b [N, K]^T + bias [N] -> [M, N]. Any strides, so that a product with an untransposed or a transposed left side is
// matmul_nt(a, b.t()) or matmul_nt(a.t(), b.t()). No gradients.
at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {});

}  // namespace vsgrpo
