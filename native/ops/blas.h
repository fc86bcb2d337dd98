// Single-threaded fp32 matrix products on row-major blocks, for use inside parallel regions (libtorch carries a BLAS).
#pragma once
#include <cstdint>

extern "C" void sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k, const float* alpha,
                       const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c, const int* ldc);

namespace vsgrpo {

// A row-major block: element (i, j) is data[i * stride + j].
struct Block {
  const float* data;
  int64_t stride;
};

// C [m, n] = A [m, k] B [k, n] + beta C
inline void gemm_nn(int64_t m, int64_t n, int64_t k, Block a, Block b, float beta, float* c, int64_t ldc) {
  // Row-major C = A B is column-major C^T = B^T A^T.
  const int im = static_cast<int>(n), in = static_cast<int>(m), ik = static_cast<int>(k);
  const int lda = static_cast<int>(b.stride), ldb = static_cast<int>(a.stride), ld = static_cast<int>(ldc);
  const char plain = 'N';
  const float one = 1.0f;
  if (m > 0 && n > 0) sgemm_(&plain, &plain, &im, &in, &ik, &one, b.data, &lda, a.data, &ldb, &beta, c, &ld);
}

}  // namespace vsgrpo
