#include "ops/bf16_dot.h"

#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/bf16_pack.h"

#ifdef __x86_64__
#include "ops/avx512.h"
#endif

namespace vsgrpo::bf16 {

#ifdef __x86_64__
namespace {

struct Product {
  const Bf16* x;
  int64_t x_stride;
  const Bf16* w;
  int64_t w_stride;
  const Bf16* bias;  // or null
  Bf16* out;
  int64_t columns, inner;
};

constexpr int64_t kBlock = 16;   // rows of the matrix between two stores
constexpr int64_t kAhead = 8192;  // values that memory is asked for ahead of time: it stops at every page by itself

// The sums of sixteen vectors, in order.
VSGRPO_AVX512_BF16 inline __m512 sums_of(const __m512 (&v)[16]) {
  __m512 pairs[8], fours[4];
  for (int i = 0; i < 8; ++i) pairs[i] = _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]) + _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(pairs[2 * i]), b = _mm512_castps_pd(pairs[2 * i + 1]);
    fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)) + _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
  }
  const __m512 low = _mm512_shuffle_f32x4(fours[0], fours[1], 0x88) + _mm512_shuffle_f32x4(fours[0], fours[1], 0xdd);
  const __m512 high = _mm512_shuffle_f32x4(fours[2], fours[3], 0x88) + _mm512_shuffle_f32x4(fours[2], fours[3], 0xdd);
  return _mm512_shuffle_f32x4(low, high, 0x88) + _mm512_shuffle_f32x4(low, high, 0xdd);
}

VSGRPO_AVX512_BF16 inline __m512bh load(const Bf16* from) { return (__m512bh)_mm512_loadu_si512(from); }

VSGRPO_AVX512_BF16 inline __m512bh load_tail(const Bf16* from, __mmask32 mask) { return (__m512bh)_mm512_maskz_loadu_epi16(mask, from); }

// One row of the matrix with T rows of x: T sums, and zeros. All loops over T unroll: the accumulators live in registers.
template <int T>
VSGRPO_AVX512_BF16 inline __m512 dot_row(const Bf16* x, int64_t x_stride, const Bf16* w, int64_t inner) {
  __m512 acc[16];
#pragma GCC unroll 16
  for (int t = 0; t < 16; ++t) acc[t] = _mm512_setzero_ps();
  const int64_t whole = inner / 32 * 32;
  for (int64_t k = 0; k < inner; k += 32) {
    const __mmask32 mask = first_32(inner - k);
    const __m512bh b = k < whole ? load(w + k) : load_tail(w + k, mask);
    __builtin_prefetch(w + k + kAhead);
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) {
      const __m512bh a = k < whole ? load(x + t * x_stride + k) : load_tail(x + t * x_stride + k, mask);
      acc[t] = _mm512_dpbf16_ps(acc[t], a, b);
    }
  }
  return sums_of(acc);
}

// Rows [first, first + count) of the matrix, sixteen at most: a square of sums, turned round so that each of the T rows of
// the output gets its part in one store.
template <int T>
VSGRPO_AVX512_BF16 void dot_block(const Product& p, int64_t first, int64_t count) {
  __m512i square[kBlock];
  for (int64_t i = 0; i < kBlock; ++i) {
    const Bf16* w = p.w + (first + std::min(i, count - 1)) * p.w_stride;
    square[i] = _mm512_castps_si512(dot_row<T>(p.x, p.x_stride, w, p.inner));
  }
  transpose_16(square);
  const __mmask16 mask = first_16(count);
  const __m512 bias = p.bias ? widen_16(p.bias + first, mask) : _mm512_setzero_ps();
  for (int t = 0; t < T; ++t) {
    const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(_mm512_castsi512_ps(square[t]) + bias);
    _mm256_mask_storeu_epi16(p.out + t * p.columns + first, mask, rounded);
  }
}

using DotBlock = void (*)(const Product&, int64_t first, int64_t count);

template <int... T>
DotBlock pick(int64_t rows, std::integer_sequence<int, T...>) {
  static constexpr DotBlock table[] = {dot_block<T + 1>...};
  return table[rows - 1];
}

}  // namespace

void dot_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, at::Tensor& out) {
  const Product product{x.const_data_ptr<Bf16>(), x.stride(0),  w.const_data_ptr<Bf16>(), w.stride(0), bias.defined() ? bias.const_data_ptr<Bf16>() : nullptr,
                        out.mutable_data_ptr<Bf16>(), w.size(0), w.size(1)};
  const DotBlock dot = pick(x.size(0), std::make_integer_sequence<int, kDotRows>());
  const int64_t blocks = divided_up(product.columns, kBlock);
  parallel_for(0, blocks, std::max<int64_t>(1, 16384 / (kBlock * product.inner)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) dot(product, i * kBlock, std::min(kBlock, product.columns - i * kBlock));
  });
}
#else
void dot_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&, at::Tensor&) { fail("INTERNAL", "[dot_rows] this processor has none"); }
#endif

}  // namespace vsgrpo::bf16
