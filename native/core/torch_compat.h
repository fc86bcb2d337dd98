// libtorch calls that are private or differ between versions, in one place.
#pragma once
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>

#include "core/pch.h"

namespace vsgrpo::compat {

// x [N, in] w [out, in]^T + bias through oneDNN, which beats libtorch's own fp32 product 2 to 3.5 times on AMD processors.
// Any strides. Returns nothing where this libtorch has no oneDNN.
inline std::optional<at::Tensor> onednn_linear(const at::Tensor& x, const at::Tensor& w, const std::optional<at::Tensor>& bias) {
  static const auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!op) return std::nullopt;
  torch::jit::Stack stack{x, w, bias ? c10::IValue(*bias) : c10::IValue(), "none", c10::List<std::optional<at::Scalar>>(), ""};
  op->callBoxed(stack);
  return stack[0].toTensor();
}

}  // namespace vsgrpo::compat
