// Loading, storing and rounding one row of float32 or bfloat16: kernels compute in fp32 and round where Hugging Face does.
#pragma once
#include "core/parallel.h"

namespace vsgrpo {

template <typename T>
inline float round_to(float value) {
  return static_cast<float>(static_cast<T>(value));
}

// Runs body<T>() for the tensor's type.
template <typename Body>
void dispatch_float(const at::Tensor& tensor, Body&& body) {
  if (tensor.scalar_type() == at::kFloat) {
    body.template operator()<float>();
  } else {
    TORCH_CHECK(tensor.scalar_type() == at::kBFloat16, "expected float32 or bfloat16, got ", tensor.scalar_type());
    body.template operator()<at::BFloat16>();
  }
}

// Splits `rows` over the threads in pieces of at least 16k elements.
template <typename Body>
void parallel_rows(int64_t rows, int64_t width, const Body& body) {
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(width, 1));
  parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace vsgrpo
