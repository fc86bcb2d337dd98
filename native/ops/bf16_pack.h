// bfloat16 matrices in and out of the layouts that block kernels read and write. Only where bf16::available().
#pragma once
#include "core/pch.h"

namespace vsgrpo::bf16 {

using Bf16 = at::BFloat16;

constexpr int64_t kPanel = 64;  // columns of a panel: the block kernel's best width

// A row-major matrix with unit stride in a row.
struct Matrix {
  const Bf16* data;
  int64_t rows, columns, stride;
};

// Panels hold pairs of inner indices side by side, [depth / 2][kPanel][2], zero where there is no more.

// Columns [column, column + kPanel) of rows [row, row + depth) of b [K, N].
void pack_natural(const Matrix& b, int64_t row, int64_t depth, int64_t column, Bf16* out);

// The same of b^T: rows [column, column + kPanel) of b [N, K], inner indices [row, row + depth); depth is even.
void pack_transposed(const Matrix& b, int64_t row, int64_t depth, int64_t column, Bf16* out);

// Columns [first, first + count) of a [K, M] as rows [count, stride], zero behind K. stride is K, or K rounded up to even.
void transpose_columns(const Matrix& a, int64_t first, int64_t count, int64_t stride, Bf16* out);

// sums [rows, kPanel] -> the first `width` of every row, rounded, with bias (or null) added: out [rows, width], rows `stride` apart.
void store_sums(const float* sums, int64_t rows, int64_t width, const Bf16* bias, Bf16* out, int64_t stride);

// The same sums added to what `out` holds.
void add_sums(const float* sums, int64_t rows, int64_t width, Bf16* out, int64_t stride);

}  // namespace vsgrpo::bf16
