#include "ops/lora.h"

#include "ops/matmul.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// The parts' A's one below the other, so that x is read once for all of them, and its gradient added to once.
struct Kept : torch::CustomClassHolder {
  Parameter *weight, *bias;
  std::vector<LoraPart> parts;
  at::Tensor a, low;  // [r of all parts, in], and A x: [N, r of all parts]
  double scale;

  // Calls body(part, first, r): the part's are rows [first, first + r) of `a`, and these columns of `low`.
  template <typename Body>
  void for_parts(const Body& body) const {
    int64_t first = 0;
    for (const LoraPart& part : parts) {
      const int64_t r = part.a->value.size(0);
      body(part, first, r);
      first += r;
    }
  }
};

at::Tensor stacked(const std::vector<LoraPart>& parts) {
  if (parts.size() == 1) return parts[0].a->value;
  std::vector<at::Tensor> values;
  for (const LoraPart& part : parts) values.push_back(part.a->value);
  return at::cat(values);
}

// d loss / d low, and the gradients of every B.
at::Tensor low_gradient(const Kept& kept, const at::Tensor& dy) {
  at::Tensor d_low = at::empty_like(kept.low);
  const at::Tensor scaled = kept.low * kept.scale;
  kept.for_parts([&](const LoraPart& part, int64_t first, int64_t r) {
    const at::Tensor own = dy.narrow(1, part.offset, part.size);
    at::Tensor target = d_low.narrow(1, first, r);
    at::mm_out(target, own, part.b->value);
    if (part.b->trainable()) add_matmul_tn(part.b->grad, own, scaled.narrow(1, first, r));
  });
  return d_low.mul_(kept.scale);
}

void add_a_gradients(const Kept& kept, const at::Tensor& d_low, const at::Tensor& x) {
  if (!kept.parts.front().a->trainable()) return;
  at::Tensor sum = at::zeros(kept.a.sizes(), kept.a.options().dtype(at::kFloat));
  add_matmul_tn(sum, d_low, x);
  kept.for_parts([&](const LoraPart& part, int64_t first, int64_t r) { part.a->grad.add_(sum.narrow(0, first, r)); });
}

struct LoraLinear : torch::autograd::Function<LoraLinear> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const c10::intrusive_ptr<Kept>& kept) {
    at::Tensor y = matmul_nt(x, kept->weight->value, kept->bias ? kept->bias->value : at::Tensor());
    kept->a = stacked(kept->parts);
    kept->low = matmul_nt(x, kept->a);
    kept->for_parts([&](const LoraPart& part, int64_t first, int64_t r) {
      y.narrow(1, part.offset, part.size).addmm_(kept->low.narrow(1, first, r), part.b->value.t(), /*beta=*/1, kept->scale);
    });
    ctx->save_for_backward({x});
    ctx->saved_data["kept"] = c10::IValue::make_capsule(kept);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(ctx->saved_data["kept"].toCapsule());
    const at::Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    if (kept->weight->trainable()) add_matmul_tn(kept->weight->grad, dy, x);
    if (kept->bias && kept->bias->trainable()) kept->bias->grad.add_(dy.sum(0, false, kept->bias->grad.scalar_type()));
    const at::Tensor d_low = low_gradient(*kept, dy);
    add_a_gradients(*kept, d_low, x);
    if (!ctx->needs_input_grad(0)) return {Variable(), Variable()};
    return {matmul_nn(dy, kept->weight->value).addmm_(d_low, kept->a), Variable()};
  }
};

}  // namespace

at::Tensor gpu_lora_linear(const at::Tensor& x, Parameter& weight, Parameter* bias, std::vector<LoraPart> parts, double scale) {
  auto kept = c10::make_intrusive<Kept>();
  kept->weight = &weight, kept->bias = bias, kept->parts = std::move(parts), kept->scale = scale;
  return LoraLinear::apply(x, kept);
}

}  // namespace vsgrpo
