// Bicubic resize of RGB bytes, in the three flavours that Qwen2-VL processors use. Antialiased, a = -0.5.
// Plain C++: no libtorch. Each flavour equals its model bit for bit (test/native/patchify_test.cpp, test/parity).
#pragma once

#include <cstdint>
#include <vector>

namespace vsgrpo {

enum class Resize {
  kPillow,            // PIL.Image.resize(BICUBIC): 22-bit fixed point, bytes between the passes
  kTorchvisionUint8,  // torchvision v2 on uint8 = at::_upsample_bicubic2d_aa on bytes: 16-bit weights, bytes between the passes
  kTorchvisionFloat,  // torchvision v1 on uint8 = the same on float32, then clamp and round half to even
};

// [frames, height, width, 3] -> [frames, out_height, out_width, 3]. A pass whose size does not change is skipped.
std::vector<uint8_t> resize_rgb(const uint8_t* rgb, int frames, int height, int width, int out_height, int out_width, Resize kind);

}  // namespace vsgrpo
