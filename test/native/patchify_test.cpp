// Resizing and patch cutting against Pillow, torchvision and transformers (test/parity/make_processor_golden.py).
#include "ops/patchify.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "golden.h"

namespace {

// The generator's formula for sample frames.
std::vector<uint8_t> pixels(int frames, int height, int width) {
  std::vector<uint8_t> rgb;
  rgb.reserve(static_cast<size_t>(frames) * height * width * 3);
  for (int t = 0; t < frames; ++t)
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c)
        for (int k = 0; k < 3; ++k) rgb.push_back(static_cast<uint8_t>(r * 7 + c * 13 + k * 61 + t * 29 + r * c));
  return rgb;
}

template <typename T>
std::vector<T> values(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<T>(), whole.data_ptr<T>() + whole.numel()};
}

template <typename T>
double largest_difference(const std::vector<T>& a, const std::vector<T>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

void check_kernel(const std::string& name, vsgrpo::Resize kind) {
  const golden::Case golden("", "processor/golden");
  int compared = 0;
  for (const std::string& tensor : golden.names()) {
    int height, width, out_height, out_width;
    if (tensor.rfind(name + "/", 0) != 0) continue;
    REQUIRE(std::sscanf(tensor.c_str() + name.size() + 1, "%dx%d-%dx%d", &height, &width, &out_height, &out_width) == 4);
    const auto ours = vsgrpo::resize_rgb(pixels(1, height, width).data(), 1, height, width, out_height, out_width, kind);
    const double difference = largest_difference(ours, values<uint8_t>(golden[tensor]));
    if (difference != 0) MESSAGE(tensor << ": differs by up to " << difference << " levels");
    CHECK(difference == 0);
    ++compared;
  }
  CHECK(compared >= 9);
}

vsgrpo::PatchifyOptions options(int frames, int height, int width, int resized_height, int resized_width) {
  vsgrpo::PatchifyOptions o;
  o.frames = frames;
  o.height = height;
  o.width = width;
  o.resized_height = resized_height;
  o.resized_width = resized_width;
  return o;
}

// The bytes that a processor normalised: at most 1e-6 off, where two bytes lie 0.014 apart.
std::vector<uint8_t> bytes_of(const at::Tensor& pixel_values) {
  const at::Tensor mean = at::tensor({0.48145466, 0.4578275, 0.40821073}).view({1, 3, 1});
  const at::Tensor std = at::tensor({0.26862954, 0.26130258, 0.27577711}).view({1, 3, 1});
  const at::Tensor levels = (pixel_values.view({-1, 3, 392}) * std + mean) * 255;
  REQUIRE((levels - levels.round()).abs().max().item<double>() < 1e-3);
  return values<uint8_t>(levels.round().to(at::kByte));
}

void check_patches(const std::string& tensor, const vsgrpo::PatchifyOptions& o) {
  const golden::Case golden("", "processor/golden");
  const auto ours = vsgrpo::patchify(pixels(o.frames, o.height, o.width).data(), o);
  const double difference = largest_difference(ours, bytes_of(golden[tensor]));
  MESSAGE(tensor << ": largest difference " << difference);
  CHECK(difference == 0);
}

}  // namespace

TEST_CASE("bicubic resizing equals Pillow's bit for bit") { check_kernel("pillow", vsgrpo::Resize::kPillow); }

TEST_CASE("bicubic resizing equals torchvision's on bytes bit for bit") {
  check_kernel("torchvision-uint8", vsgrpo::Resize::kTorchvisionUint8);
}

TEST_CASE("bicubic resizing equals torchvision's on floats bit for bit") {
  check_kernel("torchvision-float", vsgrpo::Resize::kTorchvisionFloat);
}

TEST_CASE("the patches of an image equal the fast image processor's") { check_patches("patches/hf/image", options(1, 37, 61, 56, 84)); }

TEST_CASE("the patches of an image equal the slow image processor's") {
  auto o = options(1, 37, 61, 56, 84);
  o.resize = vsgrpo::Resize::kPillow;
  check_patches("patches/hf-slow/image", o);
}

TEST_CASE("the patches of a video with an odd number of frames equal the video processor's") {
  check_patches("patches/hf/odd video", options(3, 40, 44, 56, 84));
}

TEST_CASE("a single image fills both frames of a temporal patch") {
  const auto patches = vsgrpo::patchify(pixels(1, 28, 28).data(), options(1, 28, 28, 28, 28));
  REQUIRE(patches.size() == 4u * 1176);
  for (size_t row = 0; row < 4; ++row)
    for (size_t channel = 0; channel < 3; ++channel) {
      const auto first = patches.begin() + row * 1176 + channel * 392;
      CHECK(std::equal(first, first + 196, first + 196));
    }
}

TEST_CASE("patchify refuses sizes that do not fit") {
  const auto rgb = pixels(1, 28, 28);
  CHECK_THROWS(vsgrpo::patchify(rgb.data(), options(0, 28, 28, 28, 28)));
  CHECK_THROWS(vsgrpo::patchify(rgb.data(), options(1, 28, 28, 42, 28)));
  CHECK_THROWS(vsgrpo::patchify(rgb.data(), options(1, 28, 28, 0, 28)));
}
