#include "model/layers.h"

#include "core/gpu.h"
#include "ops/lora.h"

namespace vsgrpo {
namespace {

std::vector<LoraPart> lora_parts(std::vector<Adapter>& adapters) {
  std::vector<LoraPart> parts;
  for (Adapter& lora : adapters) parts.push_back({&lora.a, &lora.b, lora.offset, lora.size});
  return parts;
}

}  // namespace

at::Tensor LinearLayer::forward(const at::Tensor& x, bool adapter, const at::Tensor& anchor) {
  std::vector<Adapter>& added = adapter ? adapters : reference_adapters;
  if (!added.empty() && on_gpu(x)) return gpu_lora_linear(x, weight, bias ? &*bias : nullptr, lora_parts(added), adapter_scale);
  at::Tensor y = linear(x, weight, bias ? &*bias : nullptr, anchor);
  for (Adapter& lora : added) {
    const at::Tensor delta = linear(linear(x, lora.a), lora.b);
    y = at::add(y, at::pad(delta, {lora.offset, y.size(1) - lora.offset - lora.size}), adapter_scale);
  }
  return y;
}

Parameter empty_parameter(const std::vector<int64_t>& shape, const at::TensorOptions& kind) { return {at::empty(shape, kind), {}}; }

LinearLayer empty_linear(int64_t out, int64_t in, bool bias, const at::TensorOptions& kind) {
  LinearLayer layer{.weight = empty_parameter({out, in}, kind)};
  if (bias) layer.bias = empty_parameter({out}, kind);
  return layer;
}

}  // namespace vsgrpo
