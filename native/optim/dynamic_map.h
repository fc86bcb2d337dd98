// bitsandbytes' dynamic 8-bit maps: 256 values from -1 or 0 to 1, spaced evenly within each power of ten, twice as many in
// the next larger one. Best for values that span many orders of magnitude: "8-bit Optimizers via Block-wise Quantization",
// arXiv 2110.02861.
#pragma once
#include <bit>

#include "core/pch.h"
#include "optim/dynamic_code.h"

namespace vsgrpo {

// A map as kernels read it.
struct DeviceMap {
  at::Tensor values, cells;  // float32 [256], int32 [kMapCells]
};

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
    return nearest_code<kSigned>(std::bit_cast<uint32_t>(x), cells_);
  }

  DeviceMap on(at::Device device) const;

 private:
  explicit DynamicMap(bool has_sign);

  float values_[256];
  // Positive floats are ordered as their bits are, and no two borders between neighbouring values share the upper 16 bits. So a
  // cell, one for each upper half, holds how many borders lie below it, and in its lower half what has to be added to a number's
  // lower half so that it overflows into the count just beyond the cell's own border.
  uint32_t cells_[kMapCells];
};

}  // namespace vsgrpo
