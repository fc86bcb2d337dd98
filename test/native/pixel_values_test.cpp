// Bytes of patches by the table of their media item and channel.
#include "ops/pixel_values.h"

#include "check.h"

namespace {

// Two items of two and one patches; three channels of two bytes.
const at::Tensor patches = at::tensor({0, 255, 1, 2, 3, 4, 250, 251, 252, 253, 254, 255, 7, 7, 8, 8, 9, 9}, at::kByte).view({3, 6});

at::Tensor tables() { return at::arange(2 * 3 * 256, at::kFloat).view({2, 3, 256}) * 0.37f - 100; }

at::Tensor by_hand() {
  at::Tensor out = at::empty({3, 6}, at::kFloat);
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t i = 0; i < 6; ++i) out[row][i] = tables()[row / 2][i / 2][patches[row][i].item<int64_t>()];
  return out;
}

}  // namespace

TEST_CASE("a byte stands for the value that its media item and channel give it") {
  CHECK(vsgrpo::pixel_values(patches, tables(), {2, 1}, at::kFloat).equal(by_hand()));
}

TEST_CASE("in bfloat16 a byte's value is the rounded one") {
  CHECK(vsgrpo::pixel_values(patches, tables(), {2, 1}, at::kBFloat16).equal(by_hand().to(at::kBFloat16)));
}
