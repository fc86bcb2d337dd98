// Few rows times a matrix, as decoding does: bound by reading the matrix once, so it is read as it lies.
#pragma once
#include "core/pch.h"

namespace vsgrpo::bf16 {

constexpr int64_t kDotRows = 16;

// out [T, N] = x [T, K] w [N, K]^T + bias [N] (may be undefined); T <= kDotRows, unit stride in rows. Needs AVX-512 bf16.
void dot_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, at::Tensor& out);

}  // namespace vsgrpo::bf16
