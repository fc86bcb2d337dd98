// SwiGLU of the text MLP on the fused gate/up projection, and quick GELU of the vision MLP.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// gate_up [N, 2I] (gate first) -> silu(gate) * up [N, I]
at::Tensor swiglu(const at::Tensor& gate_up);

// x sigmoid(1.702 x)
at::Tensor quick_gelu(const at::Tensor& x);

}  // namespace vsgrpo
