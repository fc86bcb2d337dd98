// exp and sigmoid that the compiler can vectorise (no library call in the loop); relative error below 2e-7.
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

}  // namespace vsgrpo
