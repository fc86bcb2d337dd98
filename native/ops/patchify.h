// RGB frames to the rows that Qwen2-VL's vision tower reads: resize, normalise, cut into patches.
// Plain C++ without libtorch, safe on any thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "resize.h"

namespace vsgrpo {

// Which arithmetic normalises: both give (x / 255 - mean) / std, rounded differently (about 1e-6).
enum class Normalize {
  kSlow,  // numpy image processor: byte / 255 in double, to float, then (x - mean) / std
  kFast,  // torchvision image and video processors: (byte - mean * 255) / (std * 255)
};

// Mirrors PatchifyOptions of src/native.ts.
struct PatchifyOptions {
  int frames = 0;
  int height = 0;
  int width = 0;
  int resized_height = 0;  // multiples of patch_size * merge_size
  int resized_width = 0;
  Resize resize = Resize::kTorchvisionUint8;
  Normalize normalize = Normalize::kFast;
  int patch_size = 14;
  int temporal_patch_size = 2;
  int merge_size = 2;
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
};

// [frames, height, width, 3] bytes -> [t * h * w, 3 * temporal_patch_size * patch_size^2] floats, where (t, h, w) counts
// patches. Row order: t, block row, block column, row in block, column in block (a block is merge_size x merge_size
// patches = one token). Inside a row: channel, frame, y, x. The last frame is repeated to fill the last temporal patch,
// so a single image appears twice. Throws std::invalid_argument on sizes that do not fit.
std::vector<float> patchify(const uint8_t* rgb, const PatchifyOptions& options);

}  // namespace vsgrpo
