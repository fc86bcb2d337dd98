// The decoder's part of a decoding step on a GPU: the same layers with the residual addition fused into the next norm.
#include "core/gpu.h"
#include "model/decoder.h"
#include "ops/activation.h"

namespace vsgrpo {
namespace {

// x.sum += x.delta, and its norm.
at::Tensor add_and_norm(Residual& x, const Parameter& weight, double eps) {
  at::Tensor y = at::empty_like(x.sum);
  vsgrpo_add_rms_norm_args args{};
  args.type = kernel_type(x.sum);
  args.rows = x.sum.size(0), args.columns = x.sum.size(1), args.eps = static_cast<float>(eps);
  args.x = x.sum.const_data_ptr(), args.weight = weight.value.const_data_ptr(), args.y = y.mutable_data_ptr();
  if (x.delta.defined()) args.delta = x.delta.const_data_ptr(), args.sum = x.sum.mutable_data_ptr();
  gpu().launch(args);
  x.delta.reset();
  return y;
}

}  // namespace

void DecoderLayer::decode(Residual& x, const std::function<at::Tensor(const at::Tensor&)>& attend) {
  x.delta = o_.forward(attend(qkv_.forward(add_and_norm(x, input_norm_, config_.rms_eps), /*adapter=*/true)), true);
  x.delta = down_.forward(swiglu(gate_up_.forward(add_and_norm(x, post_norm_, config_.rms_eps), true)), true);
}

at::Tensor Decoder::final_norm(Residual& x) { return add_and_norm(x, norm, config_.rms_eps); }

}  // namespace vsgrpo
