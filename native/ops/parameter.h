// A weight and where its gradient accumulates. Weights live outside the autograd graph: each op adds its weight gradient
// straight into `grad`, so no temporary of the weight's size exists and accumulation over micro-batches is in fp32.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

struct Parameter {
  at::Tensor value;  // float32 or bfloat16
  at::Tensor grad;   // float32, `+=` by every backward; undefined while frozen

  bool trainable() const { return grad.defined(); }
  void make_trainable() { grad = at::zeros(value.sizes(), at::kFloat); }
};

// A tensor without elements that requires gradients: passed to ops whose own inputs carry none (patches, token ids), so
// that their backward runs.
inline at::Tensor gradient_anchor() { return at::zeros({0}).set_requires_grad(true); }

}  // namespace vsgrpo
