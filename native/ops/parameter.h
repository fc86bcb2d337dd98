// A weight and where its gradient accumulates. Weights live outside the autograd graph: each op adds its weight gradient
// straight into `grad`, so no temporary of the weight's size exists.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

struct Parameter {
  at::Tensor value;  // float32 or bfloat16
  at::Tensor grad;   // `+=` by every backward: in float32, or where memory counts more in bfloat16; undefined while frozen

  bool trainable() const { return grad.defined(); }
  void make_trainable(at::ScalarType grad_type = at::kFloat) { grad = at::zeros(value.sizes(), value.options().dtype(grad_type)); }
};

// A graph keeps a pointer to the parameters that its backward adds to: they outlive it.
inline void keep_parameter(torch::autograd::AutogradContext* ctx, const char* key, Parameter* parameter) {
  ctx->saved_data[key] = reinterpret_cast<int64_t>(parameter);
}
inline Parameter* kept_parameter(torch::autograd::AutogradContext* ctx, const char* key) {
  return reinterpret_cast<Parameter*>(ctx->saved_data[key].toInt());
}

// A tensor without elements that requires gradients: passed to ops whose own inputs carry none (patches, token ids), so
// that their backward runs.
inline at::Tensor gradient_anchor() { return at::zeros({0}).set_requires_grad(true); }

}  // namespace vsgrpo
