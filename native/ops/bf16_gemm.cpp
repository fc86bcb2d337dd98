#include "ops/bf16_gemm.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>

#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/bf16_dot.h"
#include "ops/bf16_pack.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace vsgrpo::bf16 {
namespace {

constexpr int64_t kRows = 128;    // rows of a block
constexpr int64_t kDepth = 1024;  // of the inner dimension at a time: a panel and a block stay in the second-level cache
constexpr int64_t kLong = 16384;  // from here on a dimension is the vocabulary's

Matrix matrix_of(const at::Tensor& t) { return {t.const_data_ptr<Bf16>(), t.size(0), t.size(1), t.stride(0)}; }
at::Tensor unit_stride(const at::Tensor& t) { return t.stride(1) == 1 ? t : t.contiguous(); }

using Pack = void (*)(const Matrix& b, int64_t row, int64_t depth, int64_t column, Bf16* out);

// c [last - first, kPanel] (fp32) = rows [first, last) of a times one panel.
void multiply_panel(const Matrix& a, int64_t first, int64_t last, const Matrix& b, Pack pack, int64_t inner, int64_t column, float* c,
                    std::vector<Bf16>& panel) {
  panel.resize(static_cast<size_t>((std::min(inner, kDepth) + 1) * kPanel));
  for (int64_t k = 0; k < inner; k += kDepth) {
    const int64_t depth = std::min(kDepth, inner - k), even = depth + depth % 2;
    pack(b, k, depth, column, panel.data());
    for (int64_t m = first; m < last; m += kRows) {
      at::native::cpublas::brgemm(std::min(kRows, last - m), kPanel, even, a.stride, kPanel, kPanel, k > 0, a.data + m * a.stride + k,
                                  panel.data(), c + (m - first) * kPanel, /*is_vnni=*/true);
    }
  }
}

// Splits the product into (rows, panel) tasks: as many row parts as it takes to keep every thread busy.
template <typename Body>
void for_tasks(int64_t rows, int64_t panels, const Body& body) {
  const int64_t wanted = divided_up(4 * at::get_num_threads(), panels), parts = std::clamp<int64_t>(wanted, 1, divided_up(rows, kRows));
  const int64_t part = rounded_up(divided_up(rows, parts), kRows), count = divided_up(rows, part);
  parallel_for(0, panels * count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i % count * part, std::min(rows, (i % count + 1) * part), i / count);
    at::native::cpublas::brgemm_release();
  });
}

// out [M, N] = a b + bias, with b given by how its panels are packed. a's inner dimension is even, or padded by its stride.
void multiply(const Matrix& a, const Matrix& b, Pack pack, int64_t columns, const at::Tensor& bias, Bf16* out) {
  const Bf16* add = bias.defined() ? bias.const_data_ptr<Bf16>() : nullptr;
  for_tasks(a.rows, divided_up(columns, kPanel), [&](int64_t first, int64_t last, int64_t index) {
    thread_local std::vector<float> sums;
    thread_local std::vector<Bf16> panel;
    const int64_t column = index * kPanel, width = std::min(kPanel, columns - column);
    sums.resize(static_cast<size_t>((last - first) * kPanel));
    multiply_panel(a, first, last, b, pack, a.columns, column, sums.data(), panel);
    store_sums(sums.data(), last - first, width, add ? add + column : nullptr, out + first * columns + column, columns);
  });
}

// All panels of rows [row, row + depth) of b, one after another; depth is rounded up to even.
void pack_panels(const Matrix& b, int64_t row, int64_t depth, Bf16* out) {
  const int64_t even = depth + depth % 2;
  for (int64_t column = 0; column < b.columns; column += kPanel, out += even * kPanel) pack_natural(b, row, depth, column, out);
}

// a [M, K] b [K, N] where K is by far the longest (the gradient of the head's input): a fixed number of parts of K, each
// read front to back, and their sums added in order.
void multiply_deep(const Matrix& a, const Matrix& b, Bf16* out) {
  constexpr int64_t parts = 8, step = 512;
  const int64_t size = a.rows * b.columns, part = rounded_up(divided_up(b.rows, parts), step);
  std::vector<std::vector<float>> sums(parts);
  parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<Bf16> panels;
    panels.resize(static_cast<size_t>(step * rounded_up(b.columns, kPanel)));
    for (int64_t p = begin; p < end; ++p) {
      auto& sum = sums[static_cast<size_t>(p)];
      sum.assign(static_cast<size_t>(size), 0.0f);
      for (int64_t k = p * part; k < std::min(b.rows, (p + 1) * part); k += step) {
        const int64_t depth = std::min(step, b.rows - k), even = depth + depth % 2;
        pack_panels(b, k, depth, panels.data());
        for (int64_t m = 0; m < a.rows; m += kRows) {
          for (int64_t n = 0; n < b.columns; n += kPanel) {
            at::native::cpublas::brgemm(std::min(kRows, a.rows - m), std::min(kPanel, b.columns - n), even, a.stride, kPanel, b.columns, true,
                                        a.data + m * a.stride + k, panels.data() + n * even, sum.data() + m * b.columns + n, /*is_vnni=*/true);
          }
        }
      }
    }
    at::native::cpublas::brgemm_release();
  });
  parallel_for(0, size, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float total = 0;
      for (const auto& sum : sums) total += sum[static_cast<size_t>(i)];
      out[i] = Bf16(total);
    }
  });
}

// Rows [count, depth] and a panel [depth / 2, width, 2].
struct BlockOperands {
  const Bf16 *rows, *panel;
  int64_t depth;
};

// sums [count, width] (+)= their product, rows `stride` apart.
void multiply_block(const BlockOperands& block, int64_t count, int64_t width, bool add, float* sums, int64_t stride) {
  for (int64_t k = 0; k < block.depth; k += kDepth) {
    at::native::cpublas::brgemm(count, width, std::min(kDepth, block.depth - k), block.depth, kPanel, stride, add || k > 0, block.rows + k,
                                block.panel + k * kPanel, sums, /*is_vnni=*/true);
  }
}

// c [m, m + count) x [n, n + width) += the product. A bfloat16 sum is rounded once.
void add_block(at::Tensor& c, int64_t m, int64_t count, int64_t n, int64_t width, const BlockOperands& block) {
  const int64_t stride = c.stride(0), place = m * stride + n;
  if (c.scalar_type() == at::kFloat) return multiply_block(block, count, width, /*add=*/true, c.mutable_data_ptr<float>() + place, stride);
  alignas(64) float sums[kRows * kPanel];
  multiply_block(block, count, width, /*add=*/false, sums, kPanel);
  add_sums(sums, count, width, c.mutable_data_ptr<Bf16>() + place, stride);
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

void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (out.numel() == 0) return;
  const at::Tensor x = even_inner(a), w = even_inner(b);
  if (a.size(0) <= kDotRows) {
    dot_rows(x, w, bias, out);
  } else {
    multiply(matrix_of(x), matrix_of(w), pack_transposed, b.size(0), bias, out.mutable_data_ptr<Bf16>());
  }
}

at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = even_inner(a), w = unit_stride(b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  if (out.numel() == 0) return out;
  Matrix left = matrix_of(x);
  left.columns = a.size(1);
  if (b.size(0) >= kLong && b.size(1) < b.size(0) / 16) {
    multiply_deep(left, matrix_of(w), out.mutable_data_ptr<Bf16>());
  } else {
    multiply(left, matrix_of(w), pack_natural, b.size(1), {}, out.mutable_data_ptr<Bf16>());
  }
  return out;
}

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (c.numel() == 0 || a.size(0) == 0) return;
  const at::Tensor left = unit_stride(a), right = unit_stride(b);
  const Matrix x = matrix_of(left), y = matrix_of(right);
  const int64_t depth = x.rows, even = depth + depth % 2, panels = divided_up(y.columns, kPanel);
  std::vector<Bf16> packed(static_cast<size_t>(panels * kPanel * even));
  parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pack_natural(y, 0, depth, i * kPanel, packed.data() + i * kPanel * even);
  });
  parallel_for(0, divided_up(x.columns, kRows), 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<Bf16> rows;
    rows.resize(static_cast<size_t>(kRows * even));
    for (int64_t m = begin * kRows; m < std::min(x.columns, end * kRows); m += kRows) {
      const int64_t count = std::min(kRows, x.columns - m);
      transpose_columns(x, m, count, even, rows.data());
      for (int64_t n = 0; n < y.columns; n += kPanel) {
        add_block(c, m, count, n, std::min(kPanel, y.columns - n), {rows.data(), packed.data() + n * even, even});
      }
    }
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace vsgrpo::bf16
