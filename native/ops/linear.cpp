#include "ops/linear.h"

#include "ops/matmul.h"
#include "ops/select_rows.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Linear : torch::autograd::Function<Linear> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& anchor, Parameter* weight, Parameter* bias) {
    (void)anchor;
    ctx->save_for_backward({x});
    keep_parameter(ctx, "weight", weight);
    keep_parameter(ctx, "bias", bias);
    return matmul_nt(x, weight->value, bias ? bias->value : at::Tensor());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Variable& dy = grads[0];
    Parameter* weight = kept_parameter(ctx, "weight");
    Parameter* bias = kept_parameter(ctx, "bias");
    if (weight->trainable()) add_matmul_tn(weight->grad, dy, ctx->get_saved_variables()[0]);
    if (bias && bias->trainable()) bias->grad.add_(dy.sum(0, false, at::kFloat));
    return {ctx->needs_input_grad(0) ? matmul_nn(dy, weight->value) : Variable(), Variable(), Variable(), Variable()};
  }
};

// grad[id] += the sum of the rows that have the id, in float32 whatever the gradient's type.
void add_embedding_rows(at::Tensor& grad, const at::Tensor& ids, const at::Tensor& rows) {
  if (grad.scalar_type() == at::kFloat) {
    add_rows(grad, ids, rows.to(at::kFloat));
    return;
  }
  if (ids.size(0) == 0) return;
  // One sum for every run of equal ids. There may be as many as rows: to know better, a GPU would have to be waited for.
  const auto [sorted, order] = at::sort(ids, /*stable=*/std::optional(true), /*dim=*/0);
  const at::Tensor begins = at::constant_pad_nd(sorted.slice(0, 1).ne(sorted.slice(0, 0, -1)), {1, 0}).to(at::kLong), run = begins.cumsum(0);
  at::Tensor sums = at::zeros({ids.size(0), grad.size(1)}, rows.options().dtype(at::kFloat));
  add_rows(sums, run, rows.index_select(0, order).to(at::kFloat));
  // The others are zeros, for id 0.
  const at::Tensor id = at::zeros_like(ids).scatter_(0, run, sorted);
  add_rows(grad, id, sums.to(grad.scalar_type()));
}

struct Embedding : torch::autograd::Function<Embedding> {
  static Variable forward(AutogradContext* ctx, const Variable& ids, const Variable& anchor, Parameter* weight) {
    (void)anchor;
    ctx->save_for_backward({ids});
    keep_parameter(ctx, "weight", weight);
    return weight->value.index_select(0, ids);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    Parameter* weight = kept_parameter(ctx, "weight");
    if (weight->trainable()) add_embedding_rows(weight->grad, ctx->get_saved_variables()[0], grads[0]);
    return {Variable(), Variable(), Variable()};
  }
};

// Autograd takes no undefined tensors.
const at::Tensor& or_empty(const at::Tensor& anchor) {
  static const at::Tensor empty = at::zeros({0});
  return anchor.defined() ? anchor : empty;
}

}  // namespace

at::Tensor linear(const at::Tensor& x, Parameter& weight, Parameter* bias, const at::Tensor& anchor) {
  return Linear::apply(x, or_empty(anchor), &weight, bias);
}

at::Tensor embedding(const at::Tensor& ids, Parameter& weight, const at::Tensor& anchor) {
  return Embedding::apply(ids, or_empty(anchor), &weight);
}

}  // namespace vsgrpo
