// RMSNorm (text) and LayerNorm (vision) over the last axis, statistics in fp32.
#pragma once
#include "ops/parameter.h"

namespace vsgrpo {

// x [N, H], weight [H]. The weight multiplies after the cast back to x's type, as Qwen2RMSNorm does.
at::Tensor rms_norm(const at::Tensor& x, Parameter& weight, double eps);

// x [N, H], weight and bias [H].
at::Tensor layer_norm(const at::Tensor& x, Parameter& weight, Parameter& bias, double eps);

}  // namespace vsgrpo
