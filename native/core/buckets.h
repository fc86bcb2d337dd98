// Row counts are rounded up: on the CPU to a few sizes, because block kernels are compiled for every new shape and kept, so
// that batches of ever-new lengths would cost time at each step and memory without end; on a GPU to whole tiles.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/gpu.h"
#include "core/rounding.h"

namespace vsgrpo {

// The next multiple of `least`, and of an eighth of the octave that n lies in: at most 12.5 % more rows where n is large.
// 0 stays 0. Decoding steps pass a small `least`: their rows are few, and every one counts.
inline int64_t bucket_rows(int64_t n, int64_t least = 128) {
  const int64_t octave = n < 2 ? 1 : static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n)));
  const int64_t step = std::max(least, octave / 8);
  return rounded_up(n, step);
}

// As how many rows n of them are computed where `weight` lies. cuBLAS takes any number, in tiles whose rest is idle anyway.
inline int64_t padded_rows(int64_t n, const at::Tensor& weight, int64_t least = 128) {
  constexpr int64_t kTile = 64;
  if (!on_gpu(weight)) return bucket_rows(n, least);
  return rounded_up(n, std::min(least, kTile));
}

}  // namespace vsgrpo
