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

}  // namespace vsgrpo
