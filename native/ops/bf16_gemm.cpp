#include "ops/bf16_gemm.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <cstring>

#include "ops/bf16_dot.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace vsgrpo::bf16 {
namespace {

using Half = at::BFloat16;

constexpr int64_t kPanel = 64;    // columns of a panel: the block kernel's best width
constexpr int64_t kRows = 128;    // rows of a block
constexpr int64_t kDepth = 1024;  // of the inner dimension at a time: a panel and a block stay in the second-level cache

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A row-major matrix with unit stride in a row.
struct Matrix {
  const Half* data;
  int64_t rows, columns, stride;
};

Matrix matrix_of(const at::Tensor& t) { return {t.const_data_ptr<Half>(), t.size(0), t.size(1), t.stride(0)}; }
at::Tensor unit_stride(const at::Tensor& t) { return t.stride(1) == 1 ? t : t.contiguous(); }

// Panels hold pairs of inner indices side by side, [depth / 2][kPanel][2], zero where there is no more.

// Columns [column, column + kPanel) of rows [row, row + depth) of b [K, N].
void pack_natural(const Matrix& b, int64_t row, int64_t depth, int64_t column, Half* out) {
  const int64_t width = std::min(kPanel, b.columns - column);
  static const Half zeros[kPanel] = {};
  for (int64_t k = 0; k < depth; k += 2, out += 2 * kPanel) {
    const Half* first = b.data + (row + k) * b.stride + column;
    const Half* second = k + 1 < depth ? first + b.stride : zeros;
    for (int64_t j = 0; j < width; ++j) {
      out[2 * j] = first[j];
      out[2 * j + 1] = second[j];
    }
    std::fill(out + 2 * width, out + 2 * kPanel, Half(0.0f));
  }
}

// The same of b^T: rows [column, column + kPanel) of b [N, K], inner indices [row, row + depth); depth is even.
void pack_transposed(const Matrix& b, int64_t row, int64_t depth, int64_t column, Half* out) {
  constexpr int64_t block = 16;  // pairs
  const int64_t width = std::min(kPanel, b.rows - column), pairs = depth / 2;
  if (width < kPanel) std::fill(out, out + depth * kPanel, Half(0.0f));
  for (int64_t p = 0; p < pairs; p += block) {
    const int64_t count = std::min(block, pairs - p);
    for (int64_t j = 0; j < width; ++j) {
      const Half* in = b.data + (column + j) * b.stride + row + 2 * p;
      Half* to = out + (p * kPanel + j) * 2;
      for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * 2 * kPanel, in + 2 * i, 2 * sizeof(Half));
    }
  }
}

using Pack = void (*)(const Matrix& b, int64_t row, int64_t depth, int64_t column, Half* out);

// Rows [first, last) of a times one panel: into c (fp32, stride ldc), which is added to or overwritten.
void multiply_panel(const Matrix& a, int64_t first, int64_t last, const Matrix& b, Pack pack, int64_t inner, int64_t column, float* c,
                    int64_t ldc, int64_t width, bool add, std::vector<Half>& panel) {
  panel.resize(static_cast<size_t>((std::min(inner, kDepth) + 1) * kPanel));
  for (int64_t k = 0; k < inner; k += kDepth) {
    const int64_t depth = std::min(kDepth, inner - k), even = depth + depth % 2;
    pack(b, k, depth, column, panel.data());
    for (int64_t m = first; m < last; m += kRows) {
      at::native::cpublas::brgemm(std::min(kRows, last - m), width, even, a.stride, kPanel, ldc, add || k > 0, a.data + m * a.stride + k,
                                  panel.data(), c + (m - first) * ldc, /*is_vnni=*/true);
    }
  }
}

// Splits the product into (rows, panel) tasks: as many row parts as it takes to keep every thread busy.
template <typename Body>
void for_tasks(int64_t rows, int64_t panels, const Body& body) {
  const int64_t wanted = divide_up(4 * at::get_num_threads(), panels), parts = std::clamp<int64_t>(wanted, 1, divide_up(rows, kRows));
  const int64_t part = divide_up(divide_up(rows, parts), kRows) * kRows, count = divide_up(rows, part);
  at::parallel_for(0, panels * count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i % count * part, std::min(rows, (i % count + 1) * part), i / count);
    at::native::cpublas::brgemm_release();
  });
}

// out [M, N] = a b + bias, with b given by how its panels are packed. a's inner dimension is even, or padded by its stride.
void multiply(const Matrix& a, const Matrix& b, Pack pack, int64_t columns, const at::Tensor& bias, Half* out) {
  const Half* add = bias.defined() ? bias.const_data_ptr<Half>() : nullptr;
  for_tasks(a.rows, divide_up(columns, kPanel), [&](int64_t first, int64_t last, int64_t index) {
    thread_local std::vector<float> sums;
    thread_local std::vector<Half> panel;
    const int64_t column = index * kPanel, width = std::min(kPanel, columns - column);
    sums.resize(static_cast<size_t>((last - first) * kPanel));
    multiply_panel(a, first, last, b, pack, a.columns, column, sums.data(), kPanel, kPanel, false, panel);
    for (int64_t m = first; m < last; ++m) {
      const float* from = sums.data() + (m - first) * kPanel;
      Half* to = out + m * columns + column;
      if (add) {
        for (int64_t j = 0; j < width; ++j) to[j] = Half(from[j] + static_cast<float>(add[column + j]));
      } else {
        for (int64_t j = 0; j < width; ++j) to[j] = Half(from[j]);
      }
    }
  });
}

// [K, M] -> [M, K rounded up to even], zero-padded.
at::Tensor transposed(const at::Tensor& a) {
  constexpr int64_t block = 32;
  const int64_t rows = a.size(1), columns = a.size(0), stride = columns + columns % 2;
  at::Tensor out = at::empty({rows, stride}, a.scalar_type());
  const Half* from = a.const_data_ptr<Half>();
  Half* to = out.mutable_data_ptr<Half>();
  at::parallel_for(0, divide_up(rows, block), 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin * block; r < std::min(rows, end * block); r += block) {
      for (int64_t c = 0; c < columns; c += block) {
        for (int64_t i = r; i < std::min(rows, r + block); ++i) {
          for (int64_t j = c; j < std::min(columns, c + block); ++j) to[i * stride + j] = from[j * a.stride(0) + i];
        }
      }
      for (int64_t i = r; i < std::min(rows, r + block) && stride > columns; ++i) to[i * stride + columns] = Half(0.0f);
    }
  });
  return out;
}

// The block kernel reads inner indices in pairs.
at::Tensor even_inner(const at::Tensor& t) { return t.size(1) % 2 == 0 ? unit_stride(t) : at::constant_pad_nd(t, {0, 1}); }

}  // namespace

bool available() {
#if defined(__x86_64__) && defined(CPUBLAS_BRGEMM_BF16BF16F32)
  static const bool known = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("avx512bw") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5)) != 0;
  }();
  return known && at::globalContext().userEnabledMkldnn();
#else
  return false;
#endif
}

at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const at::Tensor x = even_inner(a), w = even_inner(b);
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  if (out.numel() == 0) return out;
  if (a.size(0) <= kDotRows) {
    dot_rows(x, w, bias, out);
  } else {
    multiply(matrix_of(x), matrix_of(w), pack_transposed, b.size(0), bias, out.mutable_data_ptr<Half>());
  }
  return out;
}

at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = even_inner(a), w = unit_stride(b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  if (out.numel() == 0) return out;
  Matrix left = matrix_of(x);
  left.columns = a.size(1);
  multiply(left, matrix_of(w), pack_natural, b.size(1), {}, out.mutable_data_ptr<Half>());
  return out;
}

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (c.numel() == 0 || a.size(0) == 0) return;
  const at::Tensor left = transposed(unit_stride(a)), right = unit_stride(b);
  Matrix x = matrix_of(left);
  float* out = c.mutable_data_ptr<float>();
  for_tasks(x.rows, divide_up(b.size(1), kPanel), [&](int64_t first, int64_t last, int64_t index) {
    thread_local std::vector<Half> panel;
    const int64_t column = index * kPanel, width = std::min(kPanel, b.size(1) - column);
    multiply_panel(x, first, last, matrix_of(right), pack_natural, b.size(0), column, out + first * c.stride(0) + column, c.stride(0), width,
                   /*add=*/true, panel);
  });
}

}  // namespace vsgrpo::bf16
