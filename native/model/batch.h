// What a pass over the model reads.
#pragma once
#include <array>

#include "core/forest.h"
#include "core/pch.h"

namespace vsgrpo {

using Grid = std::array<int64_t, 3>;  // (t, h, w) in patches

inline int64_t patches_of(const Grid& grid) { return grid[0] * grid[1] * grid[2]; }

// On the CPU, wherever the model is: a pass uploads what it needs. Shapes as in src/native.ts: ids int32 [N], positions int32 [3, N],
// patches uint8 [P, 1176] (or flat) with byte_values float32 [M, 3, 256]; or patches that are normalised already: float32, and no
// byte_values. Both are of the media whose slots are empty.
struct Batch {
  Forest forest;
  at::Tensor ids, positions, patches;
  std::vector<Grid> grids;
  at::Tensor byte_values{};
  std::vector<int64_t> slots{};  // [M], or none; see model/feature_store.h
};

// rows int64 [K], ids int32 [K].
struct Targets {
  at::Tensor rows, ids;
};

}  // namespace vsgrpo
