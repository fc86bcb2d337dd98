#include "model/layers.h"

namespace vsgrpo {

at::Tensor LinearLayer::forward(const at::Tensor& x, bool adapter, const at::Tensor& anchor) {
  at::Tensor y = linear(x, weight, bias ? &*bias : nullptr, anchor);
  if (!adapter) return y;
  for (Adapter& lora : adapters) {
    const at::Tensor delta = linear(linear(x, lora.a), lora.b);
    y = at::add(y, at::pad(delta, {lora.offset, y.size(1) - lora.offset - lora.size}), adapter_scale);
  }
  return y;
}

Parameter empty_parameter(const std::vector<int64_t>& shape, at::ScalarType dtype) { return {at::empty(shape, dtype), {}}; }

LinearLayer empty_linear(int64_t out, int64_t in, bool bias, at::ScalarType dtype) {
  LinearLayer layer{empty_parameter({out, in}, dtype), {}, {}, 0};
  if (bias) layer.bias = empty_parameter({out}, dtype);
  return layer;
}

}  // namespace vsgrpo
