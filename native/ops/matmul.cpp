#include "ops/matmul.h"

#include "core/torch_compat.h"

namespace vsgrpo {

at::Tensor matmul_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  const bool empty = a.numel() == 0 || b.numel() == 0;  // oneDNN refuses empty products
  if (!empty && a.device().is_cpu()) {
    if (auto product = compat::onednn_linear(a, b, bias.defined() ? std::optional(bias) : std::nullopt)) return *product;
  }
  return bias.defined() ? at::addmm(bias, a, b.t()) : at::mm(a, b.t());
}

}  // namespace vsgrpo
