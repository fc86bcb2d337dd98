#include "optim/dynamic_map.h"

#include <cstring>

#include "core/check.h"

namespace vsgrpo {
namespace {

// The values above 0 in rising order, rounded as bitsandbytes' create_dynamic_map rounds them.
at::Tensor positive_values(bool has_sign) {
  constexpr int kDecades = 7;
  std::vector<at::Tensor> decades;
  for (int i = 0; i < kDecades; ++i) {
    const int64_t count = int64_t{1} << (has_sign ? i : i + 1);
    const at::Tensor edges = at::linspace(0.1, 1.0, count + 1, at::kFloat);
    decades.push_back((edges.slice(0, 0, count) + edges.slice(0, 1)) / 2.0 * std::pow(10.0, i - kDecades + 1));
  }
  decades.push_back(at::ones({1}));
  return at::cat(decades);
}

}  // namespace

DynamicMap::DynamicMap(bool has_sign) {
  const at::Tensor positive = positive_values(has_sign), zero = at::zeros({1});
  const at::Tensor upper = at::cat({zero, positive});
  const at::Tensor all = has_sign ? at::cat({-positive.slice(0, 0, -1).flip(0), upper}) : upper;
  VS_CHECK(all.numel() == 256, "INTERNAL", "[dynamic map] has ", all.numel(), " values");
  std::memcpy(values_, all.const_data_ptr<float>(), sizeof(values_));

  const at::Tensor middles = (upper.slice(0, 0, -1) + upper.slice(0, 1)) / 2.0;
  const float* border = middles.const_data_ptr<float>();
  const float* end = border + middles.numel();
  uint32_t below = 0;
  const auto bits = [](float x) { return std::bit_cast<uint32_t>(x); };
  // Without sign nothing is nearest to 0.
  if (!has_sign) ++border, ++below;
  for (uint32_t cell = 0; cell < kMapCells; ++cell) {
    cells_[cell] = below << 16;
    const uint32_t first = kLowestCoded + (cell << 16);
    if (border == end || bits(*border) > (first | 0xffffu)) continue;
    cells_[cell] += 0xffffu - (bits(*border) - first);
    ++border, ++below;
    VS_CHECK(border == end || bits(*border) > (first | 0xffffu), "INTERNAL", "[dynamic map] two borders in a cell");
  }
}

DeviceMap DynamicMap::on(at::Device device) const {
  const at::Tensor values = at::empty({256}, at::kFloat), cells = at::empty({kMapCells}, at::kInt);
  std::memcpy(values.mutable_data_ptr(), values_, sizeof(values_));
  std::memcpy(cells.mutable_data_ptr(), cells_, sizeof(cells_));
  return {values.to(device), cells.to(device)};
}

const DynamicMap& DynamicMap::with_sign() {
  static const DynamicMap map(true);
  return map;
}

const DynamicMap& DynamicMap::without_sign() {
  static const DynamicMap map(false);
  return map;
}

}  // namespace vsgrpo
