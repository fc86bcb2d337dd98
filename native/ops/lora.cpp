#include "ops/lora.h"

#include "ops/matmul.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Kept : torch::CustomClassHolder {
  Parameter *weight, *bias;
  std::vector<LoraPart> parts;
  std::vector<at::Tensor> low;  // A x of each part, [N, r]
  double scale;
};

void add_part_gradients(const LoraPart& part, const at::Tensor& low, double scale, const at::Tensor& x, const at::Tensor& dy, at::Tensor& dx) {
  const at::Tensor own = dy.narrow(1, part.offset, part.size), d_low = at::mm(own, part.b->value).mul_(scale);
  if (part.b->trainable()) add_matmul_tn(part.b->grad, own, low * scale);
  if (part.a->trainable()) add_matmul_tn(part.a->grad, d_low, x);
  if (dx.defined()) dx.addmm_(d_low, part.a->value);
}

struct LoraLinear : torch::autograd::Function<LoraLinear> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const c10::intrusive_ptr<Kept>& kept) {
    at::Tensor y = matmul_nt(x, kept->weight->value, kept->bias ? kept->bias->value : at::Tensor());
    for (const LoraPart& part : kept->parts) {
      kept->low.push_back(matmul_nt(x, part.a->value));
      y.narrow(1, part.offset, part.size).addmm_(kept->low.back(), part.b->value.t(), /*beta=*/1, kept->scale);
    }
    ctx->save_for_backward({x});
    ctx->saved_data["kept"] = c10::IValue::make_capsule(kept);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(ctx->saved_data["kept"].toCapsule());
    const at::Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    if (kept->weight->trainable()) add_matmul_tn(kept->weight->grad, dy, x);
    if (kept->bias && kept->bias->trainable()) kept->bias->grad.add_(dy.sum(0, false, kept->bias->grad.scalar_type()));
    at::Tensor dx = ctx->needs_input_grad(0) ? matmul_nn(dy, kept->weight->value) : at::Tensor();
    for (size_t i = 0; i < kept->parts.size(); ++i) add_part_gradients(kept->parts[i], kept->low[i], kept->scale, x, dy, dx);
    return {dx, Variable()};
  }
};

}  // namespace

at::Tensor gpu_lora_linear(const at::Tensor& x, Parameter& weight, Parameter* bias, std::vector<LoraPart> parts, double scale) {
  auto kept = c10::make_intrusive<Kept>();
  kept->weight = &weight, kept->bias = bias, kept->parts = std::move(parts), kept->scale = scale;
  return LoraLinear::apply(x, kept);
}

}  // namespace vsgrpo
