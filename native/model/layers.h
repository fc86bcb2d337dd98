// The linear layer with optional LoRA adapters, and the table that maps Hugging Face's tensor names to fused parameters.
#pragma once
#include <optional>

#include "ops/linear.h"

namespace vsgrpo {

// One adapter: rows [offset, offset + size) of the fused output get scale * B (A x).
struct Adapter {
  std::string name;  // Hugging Face module name, e.g. model.layers.0.self_attn.q_proj
  int64_t offset, size;
  Parameter a, b;  // [r, in], [size, r]

  // What it adds to its rows of the weight, in float32: scale * B A.
  at::Tensor delta(double scale) const { return at::mm(b.value.to(at::kFloat), a.value.to(at::kFloat)) * scale; }
};

struct LinearLayer {
  Parameter weight;
  std::optional<Parameter> bias;
  std::vector<Adapter> adapters;
  std::vector<Adapter> reference_adapters;  // frozen; none where the reference policy is the base itself
  double adapter_scale = 0;                 // of both

  // x [N, in] -> [N, out]. `adapter` false: with the reference policy's adapters.
  at::Tensor forward(const at::Tensor& x, bool adapter, const at::Tensor& anchor = {});
};

// Uninitialised, frozen, of the given type and device; the checkpoint fills them.
Parameter empty_parameter(const std::vector<int64_t>& shape, const at::TensorOptions& kind);
LinearLayer empty_linear(int64_t out, int64_t in, bool bias, const at::TensorOptions& kind);

// Rows [offset, offset + size) of a parameter, under its Hugging Face name. shape is the stored one.
struct NamedWeight {
  std::string name;
  Parameter* parameter;
  int64_t offset;
  std::vector<int64_t> shape;

  at::Tensor view() const { return parameter->value.narrow(0, offset, shape[0]).view(shape); }
};

using NamedWeights = std::vector<NamedWeight>;

}  // namespace vsgrpo
