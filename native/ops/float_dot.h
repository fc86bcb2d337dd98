// A few float32 rows times a matrix, as decoding steps need them: the matrix is read once, by the engine's own threads, where
// oneDNN's would wake OpenMP's for products of microseconds.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

constexpr int64_t kFloatDotRows = 16;  // with more, block kernels are faster

// out [M, N] (contiguous) = x [M, K] w [N, K]^T + bias [N] (may be undefined). M is kFloatDotRows at most; unit stride in rows.
void float_dot_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, const at::Tensor& out);

}  // namespace vsgrpo
