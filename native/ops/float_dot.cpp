#include "ops/float_dot.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/rounding.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace vsgrpo {
namespace {

#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
using Vector [[gnu::vector_size(kLanes * sizeof(float))]] = float;

// Sums of a tile, rows of the matrix times rows of x: 4 x 3 with their operands fill AVX2's sixteen registers.
constexpr int kColumns = 4, kRows = 3;
constexpr int64_t kAhead = 4096;  // values that memory is asked for ahead of time: it stops at every page by itself

struct Product {
  const float* x;
  int64_t x_stride;
  const float* w;
  int64_t w_stride;
  const float* bias;  // or null
  float* out;
  int64_t rows, columns, inner;
};

inline Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

inline Vector load_first(const float* from, int64_t count) {
  Vector v = {};
  std::memcpy(&v, from, static_cast<size_t>(count) * sizeof(float));
  return v;
}

// sum + a b. By name on x86-64: whether compilers fuse the two depends on what stands around them, and a row's sums must not.
inline Vector add_product(Vector sum, Vector a, Vector b) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, sum);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, sum);
#else
  return sum + a * b;
#endif
}

inline float sum_of(Vector v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

// C rows of the matrix from `column` on with R rows of x from `row` on. The loops over C and R unroll: sums live in registers.
template <int C, int R>
inline void dot_tile(const Product& p, int64_t row, int64_t column) {
  const float *x = p.x + row * p.x_stride, *w = p.w + column * p.w_stride;
  Vector sums[C][R] = {};
  const auto add = [&](const auto& read, int64_t k) {
    Vector a[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) a[r] = read(x + r * p.x_stride + k);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const Vector b = read(w + c * p.w_stride + k);
      __builtin_prefetch(w + c * p.w_stride + k + kAhead);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sums[c][r] = add_product(sums[c][r], a[r], b);
    }
  };
  const int64_t whole = p.inner / kLanes * kLanes, left = p.inner - whole;
  for (int64_t k = 0; k < whole; k += kLanes) add(load, k);
  if (left > 0) add([left](const float* from) { return load_first(from, left); }, whole);
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < R; ++r) {
      const float sum = sum_of(sums[c][r]);
      p.out[(row + r) * p.columns + column + c] = p.bias ? sum + p.bias[column + c] : sum;
    }
  }
}

// All rows of x: a row's sums do not depend on how many there are.
template <int C>
void dot_columns(const Product& p, int64_t column) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) dot_tile<C, kRows>(p, row, column);
  if (p.rows - row == 2) dot_tile<C, 2>(p, row, column);
  if (p.rows - row == 1) dot_tile<C, 1>(p, row, column);
}

}  // namespace

void float_dot_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, const at::Tensor& out) {
  const Product product{x.const_data_ptr<float>(), x.stride(0), w.const_data_ptr<float>(), w.stride(0), bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                        out.mutable_data_ptr<float>(), x.size(0), w.size(0), w.size(1)};
  const int64_t groups = divided_up(product.columns, kColumns);
  parallel_for(0, groups, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, kColumns * product.inner)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t column = i * kColumns;
      if (column + kColumns <= product.columns) {
        dot_columns<kColumns>(product, column);
      } else {
        for (; column < product.columns; ++column) dot_columns<1>(product, column);
      }
    }
  });
}

}  // namespace vsgrpo
