// RGB frames to the rows that Qwen2-VL's vision tower reads, as bytes: resize, cut into patches.
// Plain C++ without libtorch, safe on any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "resize.h"

namespace vsgrpo {

// Mirrors PatchifyOptions of src/native.ts.
struct PatchifyOptions {
  int frames = 0;
  int height = 0;
  int width = 0;
  int resized_height = 0;  // multiples of patch_size * merge_size
  int resized_width = 0;
  Resize resize = Resize::kTorchvisionUint8;
  int patch_size = 14;
  int temporal_patch_size = 2;
  int merge_size = 2;
};

// [frames, height, width, 3] bytes -> [t * h * w, 3 * temporal_patch_size * patch_size^2], where (t, h, w) counts
// patches. Row order: t, block row, block column, row in block, column in block (a block is merge_size x merge_size
// patches = one token). Inside a row: channel, frame, y, x. The last frame is repeated to fill the last temporal patch,
// so a single image appears twice. Throws std::invalid_argument on sizes that do not fit.
std::vector<uint8_t> patchify(const uint8_t* rgb, const PatchifyOptions& options);

}  // namespace vsgrpo
