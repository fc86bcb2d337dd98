#include "ops/gradient_checkpointing.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Function = std::function<at::Tensor(const at::Tensor&)>;

// A function as a value that the graph can own.
struct Held : torch::CustomClassHolder {
  explicit Held(Function function) : f(std::move(function)) {}
  Function f;
};

struct Rerun : torch::autograd::Function<Rerun> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const c10::intrusive_ptr<Held>& held) {
    ctx->save_for_backward({x});
    ctx->saved_data["function"] = c10::IValue::make_capsule(held);
    return held->f(x);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto held = c10::static_intrusive_pointer_cast<Held>(ctx->saved_data["function"].toCapsule());
    at::AutoGradMode grad(true);
    const at::Tensor x = ctx->get_saved_variables()[0].detach().requires_grad_();
    torch::autograd::backward({held->f(x)}, {grads[0]});
    return {x.grad(), Variable()};
  }
};

}  // namespace

at::Tensor recomputed(const at::Tensor& x, Function function) {
  return Rerun::apply(x, c10::make_intrusive<Held>(std::move(function)));
}

}  // namespace vsgrpo
