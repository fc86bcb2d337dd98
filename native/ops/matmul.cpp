#include "ops/matmul.h"

#include <algorithm>

#include "core/gpu.h"
#include "core/torch_compat.h"
#include "ops/bf16_gemm.h"
#include "ops/float_dot.h"

namespace vsgrpo {
namespace {

constexpr int64_t kTileRows = 8192;
constexpr int64_t kTileValues = 1 << 24;  // of a tile that is made float32

bool use_bf16(const at::Tensor& a) { return a.scalar_type() == at::kBFloat16 && !on_gpu(a) && bf16::available(); }

// Whether this processor has no product of the type: oneDNN's of bfloat16 need AVX-512.
bool must_widen(const at::Tensor& a) {
#ifdef __x86_64__
  static const bool has_bfloat16 = __builtin_cpu_supports("avx512bw");
#else
  static const bool has_bfloat16 = true;
#endif
  return a.scalar_type() == at::kBFloat16 && !on_gpu(a) && !has_bfloat16;
}

at::Tensor widened(const at::Tensor& t, bool widen) { return widen && t.defined() ? t.to(at::kFloat) : t; }

bool use_dot(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == at::kFloat && !on_gpu(a) && a.size(0) <= kFloatDotRows && a.stride(1) == 1 && b.stride(1) == 1;
}

// a b^T in the type of both, any strides.
at::Tensor linear_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (use_dot(a, b)) {
    at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
    float_dot_rows(a, b, bias, out);
    return out;
  }
  const bool empty = a.numel() == 0 || b.numel() == 0;  // oneDNN refuses empty products
  if (!empty && !on_gpu(a)) {
    if (auto product = compat::onednn_linear(a, b, bias.defined() ? std::optional(bias) : std::nullopt)) return *product;
  }
  return bias.defined() ? at::addmm(bias, a, b.t()) : at::mm(a, b.t());
}

// The same into `out`, a tile of b's rows at a time: products of a tile need no pages fresh from the operating system, and no
// weight is ever float32 as a whole.
void linear_nt_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const bool widen = must_widen(a);
  const at::Tensor left = widened(a, widen);
  const int64_t fit = widen ? kTileValues / std::max<int64_t>(1, b.size(1)) : kTileRows, tile = std::clamp<int64_t>(fit, 1, kTileRows);
  for (int64_t first = 0; first < b.size(0); first += tile) {
    const int64_t count = std::min(tile, b.size(0) - first);
    const at::Tensor own = bias.defined() ? bias.narrow(0, first, count) : bias;
    out.narrow(1, first, count).copy_(linear_nt(left, widened(b.narrow(0, first, count), widen), widened(own, widen)));
  }
}

at::Tensor product_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (!must_widen(a)) return linear_nt(a, b, bias);
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  linear_nt_into(out, a, b, bias);
  return out;
}

}  // namespace

at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (!use_bf16(a)) return product_nt(a, b, bias);
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  bf16::matmul_nt_into(out, a, b, bias);
  return out;
}

void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) at::mm_out(out, a, b.t());
  else if (use_bf16(a)) bf16::matmul_nt_into(out, a, b, {});
  else if (use_dot(a, b)) float_dot_rows(a, b, {}, out);
  else linear_nt_into(out, a, b, {});
}

at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b) { return use_bf16(a) ? bf16::matmul_nn(a, b) : product_nt(a, b.t(), {}); }

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) return gpu().add_matmul_tn(c, a, b);
  if (use_bf16(a)) return bf16::add_matmul_tn(c, a, b);
  const bool widen = must_widen(a);
  const at::Tensor right = widened(b, widen).t();
  // A tile of rows at a time: the product is never whole beside the sum.
  for (int64_t first = 0; first < c.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, c.size(0) - first);
    c.narrow(0, first, count).add_(linear_nt(widened(a.narrow(1, first, count), widen).t(), right, {}));
  }
}

}  // namespace vsgrpo
