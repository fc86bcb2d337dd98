#include "ops/bf16_pack.h"

#include <algorithm>

#include "core/check.h"

#ifdef __x86_64__
#include "ops/avx512.h"
#endif

namespace vsgrpo::bf16 {

#ifdef __x86_64__
namespace {

// a0 b0 a1 b1 … of the first sixteen values of a and b, and of the last.
VSGRPO_AVX512_BF16 inline __m512i interleave_low(__m512i a, __m512i b) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                      8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  return _mm512_permutex2var_epi16(a, _mm512_load_si512(kOrder), b);
}

VSGRPO_AVX512_BF16 inline __m512i interleave_high(__m512i a, __m512i b) {
  alignas(64) static constexpr uint16_t kOrder[32] = {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
                                                      24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
  return _mm512_permutex2var_epi16(a, _mm512_load_si512(kOrder), b);
}

VSGRPO_AVX512_BF16 inline __m512i load_32(const Bf16* from, __mmask32 mask) { return _mm512_maskz_loadu_epi16(mask, from); }

// The rounded values of two vectors, low first.
VSGRPO_AVX512_BF16 inline __m512i round_32(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

}  // namespace

VSGRPO_AVX512_BF16 void pack_natural(const Matrix& b, int64_t row, int64_t depth, int64_t column, Bf16* out) {
  const int64_t width = std::min(kPanel, b.columns - column);
  const __mmask32 low = first_32(width), high = first_32(std::max<int64_t>(0, width - 32));
  for (int64_t k = 0; k < depth; k += 2, out += 2 * kPanel) {
    const Bf16* first = b.data + (row + k) * b.stride + column;
    const bool pair = k + 1 < depth;
    const Bf16* second = pair ? first + b.stride : first;
    const __m512i a0 = load_32(first, low), a1 = load_32(first + 32, high);
    const __m512i b0 = load_32(second, pair ? low : 0), b1 = load_32(second + 32, pair ? high : 0);
    _mm512_storeu_si512(out, interleave_low(a0, b0));
    _mm512_storeu_si512(out + 32, interleave_high(a0, b0));
    _mm512_storeu_si512(out + 64, interleave_low(a1, b1));
    _mm512_storeu_si512(out + 96, interleave_high(a1, b1));
  }
}

VSGRPO_AVX512_BF16 void pack_transposed(const Matrix& b, int64_t row, int64_t depth, int64_t column, Bf16* out) {
  const int64_t width = std::min(kPanel, b.rows - column), pairs = depth / 2;
  for (int64_t p = 0; p < pairs; p += 16) {
    const __mmask16 mask = first_16(pairs - p);
    for (int64_t j = 0; j < kPanel; j += 16) {
      __m512i block[16];
      const Bf16* from = b.data + (column + j) * b.stride + row + 2 * p;
      for (int64_t i = 0; i < 16; ++i) block[i] = j + i < width ? _mm512_maskz_loadu_epi32(mask, from + i * b.stride) : _mm512_setzero_si512();
      transpose_16(block);
      const int64_t count = std::min<int64_t>(16, pairs - p);
      for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(out + ((p + i) * kPanel + j) * 2, block[i]);
    }
  }
}

VSGRPO_AVX512_BF16 void transpose_columns(const Matrix& a, int64_t first, int64_t count, int64_t stride, Bf16* out) {
  for (int64_t k = 0; k < a.rows; k += 32) {
    const int64_t depth = std::min<int64_t>(32, a.rows - k);
    const __mmask32 mask = first_32(stride - k);
    for (int64_t m = 0; m < count; m += 32) {
      const __mmask32 columns = first_32(count - m);
      __m512i low[16], high[16];
      for (int64_t p = 0; p < 16; ++p) {
        const Bf16* from = a.data + (k + 2 * p) * a.stride + first + m;
        const __m512i even = 2 * p < depth ? load_32(from, columns) : _mm512_setzero_si512();
        const __m512i odd = 2 * p + 1 < depth ? load_32(from + a.stride, columns) : _mm512_setzero_si512();
        low[p] = interleave_low(even, odd);
        high[p] = interleave_high(even, odd);
      }
      transpose_16(low);
      transpose_16(high);
      Bf16* to = out + m * stride + k;
      for (int64_t i = 0; i < std::min<int64_t>(16, count - m); ++i) _mm512_mask_storeu_epi16(to + i * stride, mask, low[i]);
      for (int64_t i = 16; i < std::min<int64_t>(32, count - m); ++i) _mm512_mask_storeu_epi16(to + i * stride, mask, high[i - 16]);
    }
  }
}

VSGRPO_AVX512_BF16 void store_sums(const float* sums, int64_t rows, int64_t width, const Bf16* bias, Bf16* out, int64_t stride) {
  __m512 add[4];
  for (int64_t j = 0; j < 4; ++j) add[j] = bias && width > 16 * j ? widen_16(bias + 16 * j, first_16(width - 16 * j)) : _mm512_setzero_ps();
  const __mmask32 low = first_32(width), high = first_32(std::max<int64_t>(0, width - 32));
  for (int64_t m = 0; m < rows; ++m, sums += kPanel, out += stride) {
    const __m512i left = round_32(_mm512_loadu_ps(sums) + add[0], _mm512_loadu_ps(sums + 16) + add[1]);
    const __m512i right = round_32(_mm512_loadu_ps(sums + 32) + add[2], _mm512_loadu_ps(sums + 48) + add[3]);
    _mm512_mask_storeu_epi16(out, low, left);
    _mm512_mask_storeu_epi16(out + 32, high, right);
  }
}

VSGRPO_AVX512_BF16 void add_sums(const float* sums, int64_t rows, int64_t width, Bf16* out, int64_t stride) {
  for (int64_t m = 0; m < rows; ++m, sums += kPanel, out += stride) {
    for (int64_t j = 0; j < width; j += 32) {
      const __mmask16 low = first_16(width - j), high = first_16(std::max<int64_t>(0, width - j - 16));
      const __m512 left = widen_16(out + j, low) + _mm512_loadu_ps(sums + j), right = widen_16(out + j + 16, high) + _mm512_loadu_ps(sums + j + 16);
      _mm512_mask_storeu_epi16(out + j, first_32(width - j), round_32(left, right));
    }
  }
}
#else
namespace {
[[noreturn]] void none() { fail("INTERNAL", "[bf16] this processor has no block kernels"); }
}  // namespace
void pack_natural(const Matrix&, int64_t, int64_t, int64_t, Bf16*) { none(); }
void pack_transposed(const Matrix&, int64_t, int64_t, int64_t, Bf16*) { none(); }
void transpose_columns(const Matrix&, int64_t, int64_t, int64_t, Bf16*) { none(); }
void store_sums(const float*, int64_t, int64_t, const Bf16*, Bf16*, int64_t) { none(); }
void add_sums(const float*, int64_t, int64_t, Bf16*, int64_t) { none(); }
#endif

}  // namespace vsgrpo::bf16
