#include "ops/pixel_values.h"

#include "core/gpu.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

constexpr int64_t kChannels = 3, kBytes = 256;

template <typename T>
void look_up(const at::Tensor& patches, const T* values, at::Tensor& out) {
  const int64_t width = patches.size(1), plane = width / kChannels;
  const uint8_t* bytes = patches.const_data_ptr<uint8_t>();
  T* outs = out.mutable_data_ptr<T>();
  parallel_rows(patches.size(0), width, [&](int64_t row) {
    for (int64_t c = 0; c < kChannels; ++c) {
      const int64_t first = row * width + c * plane;
      for (int64_t i = first; i < first + plane; ++i) outs[i] = values[c * kBytes + bytes[i]];
    }
  });
}

// A byte's place among all values: its own, behind those of the channels and items before.
at::Tensor look_up_on_gpu(const at::Tensor& patches, const at::Tensor& values, const std::vector<int64_t>& rows) {
  const at::Device device = values.device();
  const at::Tensor channels = at::arange(kChannels, at::kInt).repeat_interleave(patches.size(1) / kChannels) * kBytes;
  const at::Tensor items = at::arange(static_cast<int64_t>(rows.size()), at::kInt).repeat_interleave(at::tensor(rows)) * (kChannels * kBytes);
  const at::Tensor places = patches.to(at::kInt).add_(upload(channels, device)).add_(upload(items, device).unsqueeze(1));
  return values.view(-1).index_select(0, places.view(-1)).view(patches.sizes());
}

}  // namespace

at::Tensor pixel_values(const at::Tensor& patches, const at::Tensor& byte_values, const std::vector<int64_t>& rows, const at::TensorOptions& kind) {
  const at::Tensor bytes = upload(patches, kind.device()), values = upload(byte_values, kind.device()).to(c10::typeMetaToScalarType(kind.dtype()));
  if (on_gpu(bytes)) return look_up_on_gpu(bytes, values, rows);
  at::Tensor out = at::empty(patches.sizes(), kind);
  dispatch_float(out, [&]<typename T>() {
    int64_t first = 0;
    for (size_t m = 0; m < rows.size(); first += rows[m++]) {
      at::Tensor part = out.narrow(0, first, rows[m]);
      look_up(bytes.narrow(0, first, rows[m]), values.const_data_ptr<T>() + static_cast<int64_t>(m) * kChannels * kBytes, part);
    }
  });
  return out;
}

}  // namespace vsgrpo
