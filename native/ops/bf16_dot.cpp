#include "ops/bf16_dot.h"

#include "core/check.h"

#ifdef __x86_64__
// GCC 12 takes the undefined halves of its own intrinsics for mistakes of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

namespace vsgrpo::bf16 {

#ifdef __x86_64__
namespace {

using Half = at::BFloat16;
#define VSGRPO_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512bf16")))

// The sums of sixteen vectors, in order.
VSGRPO_AVX512_BF16 __m512 sums_of(const __m512 (&v)[16]) {
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

VSGRPO_AVX512_BF16 inline __m512bh load(const Half* from) { return (__m512bh)_mm512_loadu_si512(from); }

VSGRPO_AVX512_BF16 inline __m512bh load_tail(const Half* from, int64_t count) {
  return (__m512bh)_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1u << count) - 1), from);
}

// One row of the matrix with T rows of x: T sums. All loops over T unroll: the accumulators live in registers.
template <int T>
VSGRPO_AVX512_BF16 void dot_row(const Half* x, int64_t x_stride, const Half* w, int64_t inner, float* sums) {
  __m512 acc[T];
#pragma GCC unroll 16
  for (int t = 0; t < T; ++t) acc[t] = _mm512_setzero_ps();
  const int64_t whole = inner / 32 * 32;
  for (int64_t k = 0; k < whole; k += 32) {
    const __m512bh b = load(w + k);
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) acc[t] = _mm512_dpbf16_ps(acc[t], load(x + t * x_stride + k), b);
  }
  if (whole < inner) {
    const __m512bh b = load_tail(w + whole, inner - whole);
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) acc[t] = _mm512_dpbf16_ps(acc[t], load_tail(x + t * x_stride + whole, inner - whole), b);
  }
  __m512 all[16];
#pragma GCC unroll 16
  for (int t = 0; t < 16; ++t) all[t] = t < T ? acc[t < T ? t : 0] : _mm512_setzero_ps();
  _mm512_storeu_ps(sums, sums_of(all));
}

using DotRow = void (*)(const Half*, int64_t, const Half*, int64_t, float*);

template <int... T>
DotRow pick(int64_t rows, std::integer_sequence<int, T...>) {
  static constexpr DotRow table[] = {dot_row<T + 1>...};
  return table[rows - 1];
}

}  // namespace

void dot_rows(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, at::Tensor& out) {
  const int64_t rows = x.size(0), columns = w.size(0), inner = w.size(1);
  const DotRow dot = pick(rows, std::make_integer_sequence<int, kDotRows>());
  const Half *xs = x.const_data_ptr<Half>(), *ws = w.const_data_ptr<Half>(), *add = bias.defined() ? bias.const_data_ptr<Half>() : nullptr;
  Half* to = out.mutable_data_ptr<Half>();
  at::parallel_for(0, columns, std::max<int64_t>(1, 16384 / inner), [&](int64_t begin, int64_t end) {
    float sums[16];
    for (int64_t n = begin; n < end; ++n) {
      dot(xs, x.stride(0), ws + n * w.stride(0), inner, sums);
      const float b = add ? static_cast<float>(add[n]) : 0.0f;
      for (int64_t t = 0; t < rows; ++t) to[t * columns + n] = Half(sums[t] + b);
    }
  });
}
#else
void dot_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&, at::Tensor&) { fail("INTERNAL", "[dot_rows] this processor has none"); }
#endif

}  // namespace vsgrpo::bf16
