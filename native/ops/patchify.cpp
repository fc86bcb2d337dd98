#include "patchify.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace vsgrpo {
namespace {

void check(const PatchifyOptions& o) {
  const auto fail = [](const std::string& what) { throw std::invalid_argument("[patchify] " + what); };
  if (o.frames < 1 || o.height < 1 || o.width < 1) fail("expected at least one frame of at least one pixel");
  if (o.patch_size < 1 || o.temporal_patch_size < 1 || o.merge_size < 1) fail("patch sizes must be positive");
  if (o.patch_size > 4096 || o.temporal_patch_size > 4096 || o.merge_size > 4096) fail("patch sizes above 4096 make no sense");
  const int block = o.patch_size * o.merge_size;
  if (o.resized_height < block || o.resized_width < block || o.resized_height % block || o.resized_width % block) {
    fail("expected a resized size in multiples of " + std::to_string(block) + ", got " + std::to_string(o.resized_height) + "x" +
         std::to_string(o.resized_width));
  }
}

// One patch of one frame, all channels: [3, temporal, P, P] with this frame's planes filled.
void write_patch(const uint8_t* corner, size_t stride, int patch, size_t plane, uint8_t* row) {
  for (int y = 0; y < patch; ++y) {
    const uint8_t* line = corner + y * stride;
    uint8_t* target = row + y * patch;
    for (int x = 0; x < patch; ++x) {
      for (int c = 0; c < 3; ++c) target[c * plane + x] = line[x * 3 + c];
    }
  }
}

// Index of the row of patch (y, x) inside its frame: blocks in raster order, patches in raster order within a block.
size_t row_in_frame(int y, int x, int columns, int merge) {
  const size_t block = static_cast<size_t>(y / merge) * (columns / merge) + x / merge;
  return block * merge * merge + static_cast<size_t>(y % merge) * merge + x % merge;
}

}  // namespace

std::vector<uint8_t> patchify(const uint8_t* rgb, const PatchifyOptions& o) {
  check(o);
  const std::vector<uint8_t> bytes = resize_rgb(rgb, o.frames, o.height, o.width, o.resized_height, o.resized_width, o.resize);
  const int steps = (o.frames + o.temporal_patch_size - 1) / o.temporal_patch_size;
  const int rows = o.resized_height / o.patch_size;
  const int columns = o.resized_width / o.patch_size;
  const size_t frame_area = static_cast<size_t>(o.patch_size) * o.patch_size;
  const size_t plane = frame_area * o.temporal_patch_size;
  const size_t row_size = plane * 3;
  const size_t stride = static_cast<size_t>(o.resized_width) * 3;

  std::vector<uint8_t> patches(static_cast<size_t>(steps) * rows * columns * row_size);
  for (int slot = 0; slot < steps * o.temporal_patch_size; ++slot) {
    const uint8_t* frame = bytes.data() + static_cast<size_t>(std::min(slot, o.frames - 1)) * o.resized_height * stride;
    const size_t first_row = static_cast<size_t>(slot / o.temporal_patch_size) * rows * columns;
    const size_t time = slot % o.temporal_patch_size * frame_area;
    for (int y = 0; y < rows; ++y) {
      for (int x = 0; x < columns; ++x) {
        const uint8_t* corner = frame + y * o.patch_size * stride + static_cast<size_t>(x) * o.patch_size * 3;
        uint8_t* row = &patches[(first_row + row_in_frame(y, x, columns, o.merge_size)) * row_size + time];
        write_patch(corner, stride, o.patch_size, plane, row);
      }
    }
  }
  return patches;
}

}  // namespace vsgrpo
