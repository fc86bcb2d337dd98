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

namespace detail {
inline void gemm(char ta, char tb, int64_t m, int64_t n, int64_t k, Block a, Block b, float beta, float* c, int64_t ldc) {
  // Row-major C = op(A) op(B) is column-major C^T = op(B)^T op(A)^T.
  const int im = static_cast<int>(n), in = static_cast<int>(m), ik = static_cast<int>(k);
  const int lda = static_cast<int>(b.stride), ldb = static_cast<int>(a.stride), ld = static_cast<int>(ldc);
  const float one = 1.0f;
  if (m > 0 && n > 0) sgemm_(&tb, &ta, &im, &in, &ik, &one, b.data, &lda, a.data, &ldb, &beta, c, &ld);
}
}  // namespace detail

// C [m, n] = A [m, k] B [n, k]^T + beta C
inline void gemm_nt(int64_t m, int64_t n, int64_t k, Block a, Block b, float beta, float* c, int64_t ldc) {
  detail::gemm('N', 'T', m, n, k, a, b, beta, c, ldc);
}
// C [m, n] = A [m, k] B [k, n] + beta C
inline void gemm_nn(int64_t m, int64_t n, int64_t k, Block a, Block b, float beta, float* c, int64_t ldc) {
  detail::gemm('N', 'N', m, n, k, a, b, beta, c, ldc);
}
// C [m, n] = A [k, m]^T B [k, n] + beta C
inline void gemm_tn(int64_t m, int64_t n, int64_t k, Block a, Block b, float beta, float* c, int64_t ldc) {
  detail::gemm('T', 'N', m, n, k, a, b, beta, c, ldc);
}

}  // namespace vsgrpo
