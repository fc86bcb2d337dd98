#include "ops/matmul.h"

#include "core/gpu.h"
#include "core/torch_compat.h"
#include "ops/bf16_gemm.h"

namespace vsgrpo {
namespace {

constexpr int64_t kTileRows = 8192;

bool use_bf16(const at::Tensor& a) { return a.scalar_type() == at::kBFloat16 && !on_gpu(a) && bf16::available(); }

// a b^T through oneDNN's linear, any strides.
at::Tensor linear_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const bool empty = a.numel() == 0 || b.numel() == 0;  // oneDNN refuses empty products
  if (!empty && !on_gpu(a)) {
    if (auto product = compat::onednn_linear(a, b, bias.defined() ? std::optional(bias) : std::nullopt)) return *product;
  }
  return bias.defined() ? at::addmm(bias, a, b.t()) : at::mm(a, b.t());
}

}  // namespace

at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (!use_bf16(a)) return linear_nt(a, b, bias);
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  bf16::matmul_nt_into(out, a, b, bias);
  return out;
}

void matmul_nt_into(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) at::mm_out(out, a, b.t());
  else if (use_bf16(a)) bf16::matmul_nt_into(out, a, b, {});
  else out.copy_(linear_nt(a, b, {}));
}

at::Tensor matmul_nn(const at::Tensor& a, const at::Tensor& b) { return use_bf16(a) ? bf16::matmul_nn(a, b) : linear_nt(a, b.t(), {}); }

void add_matmul_tn(at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (on_gpu(a)) return gpu().add_matmul_tn(c, a, b);
  if (use_bf16(a)) return bf16::add_matmul_tn(c, a, b);
  // A tile of rows at a time: the product is never whole beside the sum.
  for (int64_t first = 0; first < c.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, c.size(0) - first);
    c.narrow(0, first, count).add_(linear_nt(a.narrow(1, first, count).t(), b.t(), {}));
  }
}

}  // namespace vsgrpo
