#include "ops/matmul.h"

#include <algorithm>

#include "core/gpu.h"
#include "ops/bf16_gemm.h"
#include "ops/float_dot.h"
#include "ops/float_gemm.h"

namespace vsgrpo {
namespace {

constexpr int64_t kTileValues = 1 << 24;  // of a tile that is made float32
constexpr int64_t kTileRows = 8192;

bool use_bf16(const at::Tensor& a) { return a.scalar_type() == at::kBFloat16 && bf16::available(); }

void float_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (a.size(0) <= kFloatDotRows && a.stride(1) == 1 && b.stride(1) == 1 && out.is_contiguous()) float_dot_rows(a, b, bias, out);
  else float_gemm::matmul_nt_into(out, a, b, bias);
}

at::Tensor widened(const at::Tensor& t) { return t.defined() ? t.to(at::kFloat) : t; }

// bfloat16 on a processor that does not multiply it: a tile of b's rows at a time, so that no weight is ever float32 as a whole.
void widened_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const at::Tensor left = widened(a);
  const int64_t tile = std::clamp<int64_t>(kTileValues / std::max<int64_t>(1, b.size(1)), 1, kTileRows);
  for (int64_t first = 0; first < b.size(0); first += tile) {
    const int64_t count = std::min(tile, b.size(0) - first);
    const at::Tensor product = at::empty({a.size(0), count}, left.options());
    float_nt_into(product, left, widened(b.narrow(0, first, count)), widened(bias.defined() ? bias.narrow(0, first, count) : bias));
    out.narrow(1, first, count).copy_(product);
  }
}

// On the CPU, where bfloat16 has no kernels of its own; b by rows or by columns.
void other_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  a.scalar_type() == at::kFloat ? float_nt_into(out, a, b, bias) : widened_nt_into(out, a, b, bias);
}

}  // namespace

at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (on_gpu(a)) return bias.defined() ? at::addmm(bias, a, b.t()) : at::mm(a, b.t());
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  use_bf16(a) ? bf16::matmul_nt_into(out, a, b, bias) : other_nt_into(out, a, b, bias);
  return out;
}

void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) at::mm_out(out, a, b.t());
  else if (use_bf16(a)) bf16::matmul_nt_into(out, a, b, {});
  else other_nt_into(out, a, b, {});
}

at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) return at::mm(a, b);
  if (use_bf16(a)) return bf16::matmul_nn(a, b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  other_nt_into(out, a, b.t(), {});
  return out;
}

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) return gpu().add_matmul_tn(c, a, b);
  if (use_bf16(a)) return bf16::add_matmul_tn(c, a, b);
  if (c.scalar_type() == at::kFloat && a.scalar_type() == at::kFloat) return float_gemm::add_matmul_tn(c, a, b);
  // A tile of rows at a time: the product is never whole beside the sum.
  const at::Tensor right = widened(b);
  for (int64_t first = 0; first < c.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, c.size(0) - first);
    at::Tensor product = at::zeros({count, c.size(1)}, right.options());
    float_gemm::add_matmul_tn(product, widened(a.narrow(1, first, count)), right);
    c.narrow(0, first, count).add_(product);
  }
}

}  // namespace vsgrpo
