#include "ops/float_gemm.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/block_gemm.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace vsgrpo::float_gemm {
namespace {

#ifdef __AVX512F__
constexpr int64_t kPanel = 64;  // columns of a panel: the block kernel's best width
#else
constexpr int64_t kPanel = 32;
#endif
constexpr int64_t kRows = 64;    // rows of a block
constexpr int64_t kDepth = 512;  // of the inner dimension at a time: a panel and a block stay in the first two caches

// Rows of unit stride.
struct Matrix {
  const float* data;
  int64_t stride;
};

Matrix matrix_of(const at::Tensor& t) { return {t.const_data_ptr<float>(), t.stride(0)}; }
at::Tensor by_rows(const at::Tensor& t) { return t.stride(1) == 1 ? t : t.contiguous(); }

#ifdef __AVX2__
// to [8, 8] = from [8, 8] transposed.
void transpose_8(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    const __m256 a = _mm256_loadu_ps(from + i * from_stride), b = _mm256_loadu_ps(from + (i + 1) * from_stride);
    pairs[i] = _mm256_unpacklo_ps(a, b);
    pairs[i + 1] = _mm256_unpackhi_ps(a, b);
  }
  for (int i = 0; i < 8; i += 4) {
    fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xEE);
    fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
  }
}
#endif

// to [columns, rows] = from [rows, columns] transposed.
void transpose(const Matrix& from, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  int64_t whole_rows = 0, whole_columns = 0;
#ifdef __AVX2__
  whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8) {
    for (int64_t j = 0; j < whole_columns; j += 8) transpose_8(from.data + i * from.stride + j, from.stride, to + j * to_stride + i, to_stride);
  }
#endif
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) to[j * to_stride + i] = from.data[i * from.stride + j];
  }
}

// Columns [n, n + width) of the right side, inner indices [k, k + depth), as a panel [depth, width].
using Pack = void (*)(const Matrix& b, int64_t k, int64_t depth, int64_t n, int64_t width, float* panel);

// Of b [N, K].
void pack_transposed(const Matrix& b, int64_t k, int64_t depth, int64_t n, int64_t width, float* panel) {
  transpose({b.data + n * b.stride + k, b.stride}, width, depth, panel, width);
}

// Of b [K, N].
void pack_natural(const Matrix& b, int64_t k, int64_t depth, int64_t n, int64_t width, float* panel) {
  for (int64_t i = 0; i < depth; ++i) std::copy_n(b.data + (k + i) * b.stride + n, width, panel + i * width);
}

struct Product {
  Matrix a, b;
  Pack pack;
  const float* bias;  // or null
  float* out;
  int64_t out_stride, rows, columns, inner;
};

// Rows [first, last) of the columns from n on.
void multiply_panel(const Product& p, int64_t first, int64_t last, int64_t n) {
  thread_local std::vector<float> panel(kDepth * kPanel);
  const int64_t width = std::min(kPanel, p.columns - n);
  for (int64_t k = 0; k < p.inner; k += kDepth) {
    const int64_t depth = std::min(kDepth, p.inner - k);
    p.pack(p.b, k, depth, n, width, panel.data());
    for (int64_t m = first; m < last; m += kRows) {
      const int64_t count = std::min(kRows, last - m);
      float* out = p.out + m * p.out_stride + n;
      if (p.bias && k == 0) {
        for (int64_t i = 0; i < count; ++i) std::copy_n(p.bias + n, width, out + i * p.out_stride);
      }
      block_gemm({count, width, depth}, p.a.data + m * p.a.stride + k, p.a.stride, panel.data(), p.bias || k > 0, out, p.out_stride);
    }
  }
}

// Tasks of (rows, panel): as many parts of the rows as it takes to keep every thread busy.
void multiply(const Product& p) {
  const int64_t panels = divided_up(p.columns, kPanel), blocks = divided_up(p.rows, kRows);
  const int64_t parts = std::clamp<int64_t>(divided_up(4 * at::get_num_threads(), panels), 1, blocks);
  const int64_t part = divided_up(blocks, parts) * kRows, count = divided_up(p.rows, part);
  parallel_for(0, panels * count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) multiply_panel(p, i % count * part, std::min(p.rows, (i % count + 1) * part), i / count * kPanel);
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace

void matmul_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (out.numel() == 0) return;
  if (a.size(1) == 0) {
    out.zero_();
    if (bias.defined()) out.copy_(bias);
    return;
  }
  const at::Tensor x = by_rows(a);
  const bool natural = b.stride(1) != 1 && b.stride(0) == 1;
  const at::Tensor w = natural ? b.t() : by_rows(b);
  multiply({matrix_of(x), matrix_of(w), natural ? pack_natural : pack_transposed, bias.defined() ? bias.const_data_ptr<float>() : nullptr,
            out.mutable_data_ptr<float>(), out.stride(0), a.size(0), b.size(0), a.size(1)});
}

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  const int64_t rows = c.size(0), columns = c.size(1), inner = a.size(0);
  if (c.numel() == 0 || inner == 0) return;
  const at::Tensor left = by_rows(a), right = by_rows(b);
  const Matrix x = matrix_of(left), y = matrix_of(right);
  float* sums = c.mutable_data_ptr<float>();
  const int64_t panels = divided_up(columns, kPanel), blocks = divided_up(rows, kRows), stride = c.stride(0);
  const int64_t parts = std::clamp<int64_t>(divided_up(4 * at::get_num_threads(), blocks), 1, panels), part = divided_up(panels, parts) * kPanel;
  std::vector<float> packed(static_cast<size_t>(columns * inner));  // panel after panel
  parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin * kPanel; n < std::min(columns, end * kPanel); n += kPanel) {
      pack_natural(y, 0, inner, n, std::min(kPanel, columns - n), packed.data() + n * inner);
    }
  });
  parallel_for(0, blocks * parts, 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> block(kRows * kDepth);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t m = i / parts * kRows, count = std::min(kRows, rows - m), first = i % parts * part;
      for (int64_t k = 0; k < inner; k += kDepth) {
        const int64_t depth = std::min(kDepth, inner - k);
        transpose({x.data + k * x.stride + m, x.stride}, depth, count, block.data(), depth);
        for (int64_t n = first; n < std::min(columns, first + part); n += kPanel) {
          const int64_t width = std::min(kPanel, columns - n);
          block_gemm({count, width, depth}, block.data(), depth, packed.data() + n * inner + k * width, /*add=*/true, sums + m * stride + n, stride);
        }
      }
    }
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace vsgrpo::float_gemm
