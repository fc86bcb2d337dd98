// core/gpu.h on CUDA: kernels of native/kernels on libtorch's current stream, outputs from libtorch's caching allocator.
#pragma once
#include "core/gpu.h"

namespace vsgrpo::glue {

class CudaGpu final : public Gpu {
 public:
  std::pair<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) override;
  at::Tensor rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                               const at::Tensor& dweight) override;
  at::Tensor swiglu(const at::Tensor& gate_up) override;
  at::Tensor swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up) override;
  at::Tensor quick_gelu(const at::Tensor& x) override;
  at::Tensor quick_gelu_backward(const at::Tensor& dy, const at::Tensor& x) override;
  std::pair<at::Tensor, at::Tensor> mrope_table(const at::Tensor& positions, const at::Tensor& offsets, const at::Tensor& frequencies,
                                                const std::vector<int64_t>& sections, bool round_to_bfloat16) override;
  std::array<at::Tensor, 3> split_and_rotate(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, bool round_products,
                                             int64_t heads, int64_t kv_heads) override;
  at::Tensor split_and_rotate_backward(const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& cos,
                                       const at::Tensor& sin) override;
  void token_loss(const at::Tensor& logits, const at::Tensor& targets, double temperature, const at::Tensor& logps, const at::Tensor& entropy,
                  const at::Tensor& correct, const DeviceTokenLoss* loss) override;
  void add_matmul_tn(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) override;
  at::Tensor clip(const std::vector<at::Tensor>& gradients, double max_norm) override;

  void adamw(vsgrpo_adamw_args args) override;
  void launch(vsgrpo_add_rms_norm_args args) override;
  void launch(vsgrpo_mrope_args args) override;
  void launch(vsgrpo_decode_attention_args args) override;
  void launch(vsgrpo_sample_args args) override;
  int64_t decode_attention_workspace(vsgrpo_decode_attention_args args) override;

  std::unique_ptr<GpuGraph> capture(std::function<void()> step) override;
  std::unique_ptr<GpuCopy> copy_to_host(const at::Tensor& values) override;

  GpuMemory memory() override;
  void reset_peak() override;
  void release_cached() override;
  void synchronize() override;
};

}  // namespace vsgrpo::glue

// The library's one entry. Throws Error("NO_CUDA") where the kernels are of another build.
extern "C" __attribute__((visibility("default"))) vsgrpo::Gpu* vsgrpo_gpu();
