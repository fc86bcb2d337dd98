#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {
namespace {

void add_loss(vsgrpo_token_loss_args& args, const DeviceTokenLoss& loss) {
  args.dlogps = data<float>(loss.dlogps), args.dentropy = data<float>(loss.dentropy);
  args.tokens = {data<float>(loss.weights),   data<float>(loss.advantages),  data<float>(loss.old_logps),
                 data<float>(loss.ref_logps), data<float>(loss.policy_mask), data<float>(loss.sampler_ratios),
                 data<float>(loss.entropy_bonus)};
  args.options = loss.options;
}

}  // namespace

void CudaGpu::token_loss(const at::Tensor& logits, const at::Tensor& targets, double temperature, const at::Tensor& logps,
                         const at::Tensor& entropy, const at::Tensor& correct, const DeviceTokenLoss* loss) {
  vsgrpo_token_loss_args args{};
  args.logits_type = args.gradient_type = kernel_type(logits);
  args.rows = logits.size(0), args.vocab = logits.size(1);
  args.temperature = static_cast<float>(temperature);
  args.logits = data(logits), args.targets = data<int32_t>(targets);
  args.logps = data<float>(logps), args.entropy = data<float>(entropy), args.correct = data<uint8_t>(correct);
  if (loss) {
    args.gradient = data(logits);
    add_loss(args, *loss);
  }
  call(vsgrpo_token_loss, args);
}

}  // namespace vsgrpo::glue
