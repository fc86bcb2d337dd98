#include "core/gpu.h"

namespace vsgrpo {
namespace {

Gpu* loaded = nullptr;
bool emulates = false;

}  // namespace

Gpu& gpu() {
  VS_CHECK(loaded, "NO_CUDA", "[gpu] no GPU was loaded: load the model with device 'cuda'; `vsgrpo doctor` says what is missing");
  return *loaded;
}

bool has_gpu() { return loaded != nullptr; }

void set_gpu(Gpu* gpu, bool emulated) {
  loaded = gpu;
  emulates = gpu != nullptr && emulated;
}

bool on_gpu(const at::Tensor& tensor) { return emulates || tensor.is_cuda(); }

at::Tensor upload(const at::Tensor& host, at::Device device) {
  return host.device().type() == device.type() ? host : host.contiguous().pin_memory().to(device, /*non_blocking=*/true);
}

DeviceTokenLoss DeviceTokenLoss::narrow(int64_t first, int64_t count) const {
  DeviceTokenLoss part = *this;
  for (at::Tensor* array : {&part.dlogps, &part.dentropy, &part.weights, &part.advantages, &part.old_logps, &part.ref_logps, &part.policy_mask,
                            &part.sampler_ratios, &part.entropy_bonus}) {
    if (array->defined()) *array = array->narrow(0, first, count);
  }
  return part;
}

}  // namespace vsgrpo
