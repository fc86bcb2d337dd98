// bitsandbytes' dynamic 8-bit maps: 256 values from -1 or 0 to 1, spaced evenly within each power of ten, twice as many in
// the next larger one. Best for values that span many orders of magnitude: "8-bit Optimizers via Block-wise Quantization",
// arXiv 2110.02861.
#pragma once
#include <algorithm>
#include <bit>

#include "core/pch.h"

namespace vsgrpo {

class DynamicMap {
 public:
  // Values of both signs, for the first moment: code 127 is 0, 0 is -0.993, 255 is 1.
  static const DynamicMap& with_sign();
  // Values from 0 on, for the second moment: code 0 is 0, 255 is 1. No number is given code 0, here unlike bitsandbytes: a second
  // moment that turned 0 beside a first one that does not would let a weight jump by up to m / epsilon.
  static const DynamicMap& without_sign();

  const float* values() const { return values_; }

  // The code of the value nearest to x, that is at most 1 off 0; of two as near the lower.
  template <bool kSigned>
  uint8_t nearest(float x) const {
    const uint32_t bits = std::bit_cast<uint32_t>(x), sign = bits >> 31;
    // Below 0 the lower of two is the one further from 0: what lies on a border counts as beyond it.
    const uint32_t magnitude = std::clamp((bits & 0x7fffffffu) + sign, kLowest, kHighest);
    const uint32_t place = (cells_[(magnitude - kLowest) >> 16] + (magnitude & 0xffffu)) >> 16;
    if constexpr (!kSigned) return static_cast<uint8_t>(place);
    return static_cast<uint8_t>(sign ? 127u - std::min(place, 127u) : 127u + place);
  }

 private:
  // Bits of 2^-23, below which all is as near to 0, and of 1.
  static constexpr uint32_t kLowest = 104u << 23, kHighest = 127u << 23;

  explicit DynamicMap(bool has_sign);

  float values_[256];
  // Positive floats are ordered as their bits are, and no two borders between neighbouring values share the upper 16 bits. So a
  // cell, one for each upper half, holds how many borders lie below it, and in its lower half what has to be added to a number's
  // lower half so that it overflows into the count just beyond the cell's own border.
  uint32_t cells_[((kHighest - kLowest) >> 16) + 1];
};

}  // namespace vsgrpo
