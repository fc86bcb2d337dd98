// Single-threaded products of small blocks with fp32 sums, for use inside parallel regions: oneDNN's block kernels where
// the processor has them, else BLAS. C [M, N] = or += A [M, K] B [K, N]; A and C row-major with strides.
// B as the kernels read it: float row-major, bfloat16 with pairs of inner indices side by side, [K / 2][N][2], K even.
#pragma once
#include <ATen/native/CPUBlas.h>

#include "ops/bf16_gemm.h"
#include "ops/blas.h"

namespace vsgrpo {

// Inner indices that lie side by side in B.
template <typename T>
inline constexpr int64_t kInnerPack = sizeof(float) / sizeof(T);

struct BlockShape {
  int64_t m, n, k;
};

inline void block_gemm(const BlockShape& s, const float* a, int64_t lda, const float* b, bool add, float* c, int64_t ldc) {
  if (s.m == 0 || s.n == 0 || s.k == 0) return;
#ifdef CPUBLAS_BRGEMM_F32F32F32
  static const bool fast = __builtin_cpu_supports("avx2") && at::globalContext().userEnabledMkldnn();
  if (fast) return at::native::cpublas::brgemm(s.m, s.n, s.k, lda, s.n, ldc, add, a, b, c, /*is_vnni=*/false);
#endif
  gemm_nn(s.m, s.n, s.k, {a, lda}, {b, s.n}, add ? 1.0f : 0.0f, c, ldc);
}

// Only where bf16::available().
inline void block_gemm(const BlockShape& s, const at::BFloat16* a, int64_t lda, const at::BFloat16* b, bool add, float* c, int64_t ldc) {
  if (s.m == 0 || s.n == 0 || s.k == 0) return;
  at::native::cpublas::brgemm(s.m, s.n, s.k, lda, s.n, ldc, add, a, b, c, /*is_vnni=*/true);
}

// Where element (k, n) of B lies.
template <typename T>
inline int64_t packed_index(int64_t k, int64_t n, int64_t columns) {
  return (k / kInnerPack<T> * columns + n) * kInnerPack<T> + k % kInnerPack<T>;
}

}  // namespace vsgrpo
