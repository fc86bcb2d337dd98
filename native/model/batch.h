// What a pass over the model reads.
#pragma once
#include <array>

#include "core/forest.h"
#include "core/pch.h"

namespace vsgrpo {

// On the CPU, wherever the model is: a pass uploads what it needs. Shapes as in src/native.ts: ids int32 [N], positions int32 [3, N],
// patches uint8 [P, 1176] with byte_values float32 [M, 3, 256]; or patches that are normalised already: float32, and no byte_values.
struct Batch {
  Forest forest;
  at::Tensor ids, positions, patches;
  std::vector<std::array<int64_t, 3>> grids;
  at::Tensor byte_values{};
};

// rows int64 [K], ids int32 [K].
struct Targets {
  at::Tensor rows, ids;
};

}  // namespace vsgrpo
