// The optimizer's step on a GPU: every parameter's update is queued before the norm is waited for.
#include "core/check.h"
#include "core/gpu.h"
#include "optim/adamw.h"

namespace vsgrpo {
namespace {

vsgrpo_adamw_codes codes_of(const DeviceMap& map, const Moment& moment) {
  return {map.values.const_data_ptr<float>(), reinterpret_cast<const uint32_t*>(map.cells.const_data_ptr<int32_t>()),
          moment.absmax.mutable_data_ptr<float>()};
}

}  // namespace

double AdamW::step_on_gpu(double lr, double max_norm) {
  std::vector<at::Tensor> gradients;
  for (const State& state : states_) gradients.push_back(state.parameter->grad);
  const at::Tensor clip = gpu().clip(gradients, max_norm);
  ++steps_;
  vsgrpo_adamw_args args{};
  args.clip = clip.const_data_ptr<double>();
  for (State& state : states_) {
    at::Tensor& weight = state.parameter->value;
    const StepSizes sizes = sizes_for(state, lr, /*scale=*/1);
    args.gain1 = sizes.gain1, args.beta2 = sizes.beta2, args.gain2 = sizes.gain2, args.epsilon = sizes.epsilon;
    args.step = sizes.step, args.root = sizes.root, args.keep = sizes.keep, args.random = sizes.random;
    args.weight_type = kernel_type(weight), args.grad_type = kernel_type(state.parameter->grad);
    args.count = weight.numel();
    args.weight = weight.data_ptr(), args.low = state.low.defined() ? state.low.mutable_data_ptr<int16_t>() : nullptr;
    args.grad = state.parameter->grad.data_ptr();
    const bool coded = state.m.absmax.defined();
    args.moment_type = coded ? static_cast<int32_t>(VSGRPO_CODED) : kernel_type(state.m.values);
    args.m = state.m.values.data_ptr(), args.v = state.v.values.data_ptr();
    if (coded) args.m_codes = codes_of(m_map_, state.m), args.v_codes = codes_of(v_map_, state.v);
    gpu().adamw(args);
  }
  // Where the norm is not finite, the updates have left the weights alone.
  const double norm = clip.cpu().const_data_ptr<double>()[0];
  if (!std::isfinite(norm)) --steps_;
  VS_CHECK(std::isfinite(norm), "NUMERICS", "[optimizer] the gradient norm is ", norm, ": lower the learning rate");
  return norm;
}

}  // namespace vsgrpo
