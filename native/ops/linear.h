// y = x W^T + b, and the embedding lookup, on packed rows; weight gradients go into the parameters (see parameter.h).
#pragma once
#include "ops/parameter.h"

namespace vsgrpo {

// x [N, in], weight [out, in], bias [out] or nullptr -> [N, out]. `anchor`: see gradient_anchor(), only where x has no gradient.
at::Tensor linear(const at::Tensor& x, Parameter& weight, Parameter* bias = nullptr, const at::Tensor& anchor = {});

// ids int64 [N], weight [V, H] -> [N, H].
at::Tensor embedding(const at::Tensor& ids, Parameter& weight, const at::Tensor& anchor);

}  // namespace vsgrpo
