#include "ops/pixel_values.h"

#include "ops/rows.h"

namespace vsgrpo {
namespace {

template <typename T>
void look_up(const at::Tensor& patches, const T* values, at::Tensor& out) {
  const int64_t width = patches.size(1), plane = width / 3;
  const uint8_t* bytes = patches.const_data_ptr<uint8_t>();
  T* outs = out.mutable_data_ptr<T>();
  parallel_rows(patches.size(0), width, [&](int64_t row) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t first = row * width + c * plane;
      for (int64_t i = first; i < first + plane; ++i) outs[i] = values[c * 256 + bytes[i]];
    }
  });
}

}  // namespace

at::Tensor pixel_values(const at::Tensor& patches, const at::Tensor& byte_values, const std::vector<int64_t>& rows, at::ScalarType type) {
  const at::Tensor values = byte_values.to(type);
  at::Tensor out = at::empty(patches.sizes(), type);
  dispatch_float(out, [&]<typename T>() {
    int64_t first = 0;
    for (size_t m = 0; m < rows.size(); first += rows[m++]) {
      at::Tensor part = out.narrow(0, first, rows[m]);
      look_up(patches.narrow(0, first, rows[m]), values.const_data_ptr<T>() + static_cast<int64_t>(m) * 768, part);
    }
  });
  return out;
}

}  // namespace vsgrpo
