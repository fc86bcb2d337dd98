#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {

at::Tensor CudaGpu::clip(const std::vector<at::Tensor>& gradients, double max_norm) {
  VS_CHECK(!gradients.empty(), "GPU", "[clip] expected gradients, got none");
  std::vector<int64_t> offsets{0};
  for (const at::Tensor& gradient : gradients) offsets.push_back(offsets.back() + vsgrpo_squared_norm_sums(gradient.numel()));
  const auto doubles = gradients.front().options().dtype(at::kDouble);
  at::Tensor sums = at::empty({offsets.back()}, doubles), clip = at::empty({2}, doubles);
  for (size_t i = 0; i < gradients.size(); ++i) {
    vsgrpo_squared_norm_args args{};
    args.grad_type = kernel_type(gradients[i]);
    args.count = gradients[i].numel();
    args.grad = data(gradients[i]);
    args.sums = data<double>(sums) + offsets[i];
    call(vsgrpo_squared_norm, args);
  }
  vsgrpo_clip_args args{};
  args.count = sums.numel();
  args.sums = data<double>(sums);
  args.max_norm = max_norm;
  args.clip = data<double>(clip);
  call(vsgrpo_clip, args);
  return clip;
}

void CudaGpu::adamw(vsgrpo_adamw_args args) { call(vsgrpo_adamw, args); }

}  // namespace vsgrpo::glue
