// The arithmetic of AdamW: the norm of a gradient, and one parameter's update in a single pass over weight, gradient and
// moments.
#pragma once
#include "ops/parameter.h"

namespace vsgrpo {

// One of Adam's two running means, in the parameter's shape.
struct Moment {
  // As in bitsandbytes: values that share an absmax, and its min_8bit_size.
  static constexpr int64_t kBlock = 256, kLeastCoded = 4096;

  at::Tensor values;  // float32, bfloat16, or uint8: codes of a DynamicMap
  at::Tensor absmax;  // float32 [blocks], beside codes: what the values of a block are multiples of

  // Of a weight's shape. Fewer than kLeastCoded values stay in float32 where codes are asked for.
  static Moment zeros_like(const at::Tensor& weight, at::ScalarType type);
};

struct StepSizes {
  float gain1, beta2, gain2;  // 1 - beta1, beta2, 1 - beta2
  float step, root;           // lr / (1 - beta1^t), sqrt(1 - beta2^t)
  float epsilon;
  float clip, keep;  // factors of the gradient and, for decay, of the weight
  uint32_t random;   // of this step
};

// Of a float32 or bfloat16 gradient. Sums of fixed pieces, added in order: the same on any number of threads.
double squared_norm(const at::Tensor& grad);

// Updates weight, `low` (the rest of a bfloat16 weight's master; undefined for float32) and moments; clears the gradient.
void update_parameter(const StepSizes& sizes, Parameter& parameter, at::Tensor& low, Moment& m, Moment& v);

}  // namespace vsgrpo
