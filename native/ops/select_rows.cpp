#include "ops/select_rows.h"

#include "core/gpu.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct SelectRows : torch::autograd::Function<SelectRows> {
  static Variable forward(AutogradContext* ctx, const Variable& x, const Variable& rows) {
    ctx->save_for_backward({rows});
    ctx->saved_data["count"] = x.size(0);
    return x.index_select(0, rows);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    at::Tensor dx = at::zeros({ctx->saved_data["count"].toInt(), grads[0].size(1)}, grads[0].options());
    add_rows(dx, ctx->get_saved_variables()[0], grads[0]);
    return {dx, Variable()};
  }
};

}  // namespace

at::Tensor select_rows(const at::Tensor& x, const at::Tensor& rows) {
  return on_gpu(x) ? SelectRows::apply(x, rows) : x.index_select(0, rows);
}

void add_rows(at::Tensor& sum, const at::Tensor& rows, const at::Tensor& values) {
  if (!on_gpu(sum)) {
    sum.index_add_(0, rows, values);
    return;
  }
  // Sorts the rows first. `unsafe`: the check of their range would wait for the device.
  at::_index_put_impl_(sum, {rows}, values, /*accumulate=*/true, /*unsafe=*/true);
}

}  // namespace vsgrpo
