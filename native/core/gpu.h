// What the engine asks of a GPU beyond ATen: the raw computations that have kernels of their own, CUDA graphs and memory.
// No autograd in here: the Functions of ops/ stay the only ones, and branch on on_gpu(). native/glue implements this in
// libvsgrpo_cuda.so, a library that knows CUDA and nothing of the engine but this header; it is loaded when a GPU is asked
// for (set_gpu). The tests compile the same sources against an emulation, and then it computes on CPU tensors.
//
// Tensors are dense, on the device, float32 or bfloat16 where nothing else is said. Nothing waits for the device unless it
// says so. Everything runs on the calling thread's current stream.
#pragma once
#include <array>

#include "core/check.h"
#include "core/pch.h"
#include "kernels/vsgrpo_kernels.h"

namespace vsgrpo {

// A loss as the kernel reads it, [K] each on the device; undefined where the loss has none. Either its gradients per token …
struct DeviceTokenLoss {
  at::Tensor dlogps, dentropy;
  // … or, with `dlogps` undefined, the inputs of the GRPO family.
  at::Tensor weights, advantages, old_logps, ref_logps, policy_mask, sampler_ratios, entropy_bonus;
  vsgrpo_grpo_options options = {};

  // Tokens [first, first + count).
  DeviceTokenLoss narrow(int64_t first, int64_t count) const;
};

// A step recorded once and run again with the values that its tensors hold then.
class GpuGraph {
 public:
  virtual ~GpuGraph() = default;
  virtual void replay() = 0;
};

// Values on their way to the host.
class GpuCopy {
 public:
  virtual ~GpuCopy() = default;
  virtual bool done() = 0;
  virtual const at::Tensor& wait() = 0;  // on the host, the device tensor as it was when the copy was asked for
};

// Of the device's allocator, in bytes.
struct GpuMemory {
  int64_t allocated = 0, peak = 0, reserved = 0, device_free = 0, device_total = 0;
};

class Gpu {
 public:
  virtual ~Gpu() = default;

  // ---- layers; shapes and roundings as in ops/

  // x [N, H] -> y [N, H] and 1 / rms, float32 [N].
  virtual std::pair<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) = 0;
  // -> dx; adds to `dweight` [H], unless it is undefined.
  virtual at::Tensor rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                                       const at::Tensor& dweight) = 0;

  // gate_up [N, 2I] -> [N, I]
  virtual at::Tensor swiglu(const at::Tensor& gate_up) = 0;
  virtual at::Tensor swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up) = 0;

  virtual at::Tensor quick_gelu(const at::Tensor& x) = 0;
  virtual at::Tensor quick_gelu_backward(const at::Tensor& dy, const at::Tensor& x) = 0;

  // positions int32 [3, N], frequencies float32 [D / 2] -> cos and sin, float32 [N, D / 2]. With `offsets`, int32 [N], they
  // are added to all three.
  virtual std::pair<at::Tensor, at::Tensor> mrope_table(const at::Tensor& positions, const at::Tensor& offsets, const at::Tensor& frequencies,
                                                        const std::vector<int64_t>& sections, bool round_to_bfloat16) = 0;
  // qkv [N, (heads + 2 kv_heads) D] -> q, k, v.
  virtual std::array<at::Tensor, 3> split_and_rotate(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin,
                                                     bool round_products, int64_t heads, int64_t kv_heads) = 0;
  virtual at::Tensor split_and_rotate_backward(const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& cos,
                                               const at::Tensor& sin) = 0;

  // ---- the head

  // logits [K, V], targets int32 [K] -> logps, entropy (float32) and correct (uint8) [K]. With a loss, the logits become
  // their gradient.
  virtual void token_loss(const at::Tensor& logits, const at::Tensor& targets, double temperature, const at::Tensor& logps,
                          const at::Tensor& entropy, const at::Tensor& correct, const DeviceTokenLoss* loss) = 0;
  // c [M, N] (float32) += a [K, M]^T b [K, N]
  virtual void add_matmul_tn(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) = 0;

  // ---- the optimizer

  // Of gradients: their norm before clipping and the factor that clips it to `max_norm` (0: 1), float64 [2]. The
  // factor is NaN where the norm is not finite.
  virtual at::Tensor clip(const std::vector<at::Tensor>& gradients, double max_norm) = 0;
  // Sizes, types and pointers of vsgrpo_kernels.h.
  virtual void adamw(vsgrpo_adamw_args args) = 0;

  // ---- generation: the kernels by their arguments (struct_size is filled in). Throws Error("GPU") with the kernel's words.

  virtual void launch(vsgrpo_add_rms_norm_args args) = 0;
  virtual void launch(vsgrpo_mrope_args args) = 0;
  virtual void launch(vsgrpo_decode_attention_args args) = 0;
  virtual void launch(vsgrpo_sample_args args) = 0;
  // In floats; of the sizes in `args`.
  virtual int64_t decode_attention_workspace(vsgrpo_decode_attention_args args) = 0;

  // Records what `step` launches, without running it. `step` must have run before, allocates from the graphs' own pool, and
  // neither waits for the device nor reads from it. Under the emulation a replay calls it again.
  virtual std::unique_ptr<GpuGraph> capture(std::function<void()> step) = 0;
  virtual std::unique_ptr<GpuCopy> copy_to_host(const at::Tensor& values) = 0;

  // ---- memory

  virtual GpuMemory memory() = 0;
  virtual void reset_peak() = 0;
  // Gives what the allocator keeps for later back to the device.
  virtual void release_cached() = 0;
  virtual void synchronize() = 0;
};

// The GPU that was loaded. Throws Error("NO_CUDA") when there is none.
Gpu& gpu();
bool has_gpu();
// Null: unloaded. With `emulated`, CPU tensors count as the GPU's.
void set_gpu(Gpu* gpu, bool emulated = false);

// Whether an operation on this tensor is the GPU's work.
bool on_gpu(const at::Tensor& tensor);

// VSGRPO_FLOAT32 or VSGRPO_BFLOAT16. Throws Error("GPU") for another type. Inline: native/glue uses it too, and is another
// library, from which the engine's symbols are hidden.
inline int32_t kernel_type(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kFloat) return VSGRPO_FLOAT32;
  VS_CHECK(tensor.scalar_type() == at::kBFloat16, "GPU", "[gpu] expected float32 or bfloat16, got ", tensor.scalar_type());
  return VSGRPO_BFLOAT16;
}

// A CPU tensor on the device, through pinned memory and without waiting; itself where it is there already.
at::Tensor upload(const at::Tensor& host, at::Device device);

}  // namespace vsgrpo
