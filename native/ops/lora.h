// A linear layer with low-rank adapters on a GPU: each adapter adds straight into its columns of the fused output, where
// padding it to the whole width would move as many bytes as the layer itself.
#pragma once
#include "ops/parameter.h"

namespace vsgrpo {

// Columns [offset, offset + size) get scale * B (A x).
struct LoraPart {
  Parameter *a, *b;  // [r, in], [size, r]
  int64_t offset, size;
};

// x [N, in], weight [out, in], bias [out] or nullptr -> [N, out].
at::Tensor gpu_lora_linear(const at::Tensor& x, Parameter& weight, Parameter* bias, std::vector<LoraPart> parts, double scale);

}  // namespace vsgrpo
