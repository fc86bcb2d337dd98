#include "ops/gpu_attention.h"

#include "ops/attention_call.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// What a forward pass leaves for its backward beside q, k and v.
struct Kept : torch::CustomClassHolder {
  std::shared_ptr<const AttentionPlan> plan;
  at::Tensor out, lse;            // merged: [used, H, D], float32 [H, used]
  std::vector<Attended> calls;    // without their results
};

// Adds a call over some of the rows: out = out (1 - w) + part w with w = part's share of the probabilities.
void merge(Kept& kept, const Attended& part, const RowPick& rows) {
  const at::Tensor lse = rows.of(kept.lse, 1), difference = part.lse - lse;
  const at::Tensor share = at::sigmoid(difference).t().unsqueeze(2);
  rows.put_into(kept.out, rows.of(kept.out).to(at::kFloat).lerp_(part.out.to(at::kFloat), share).to(kept.out.scalar_type()));
  rows.put_into(kept.lse, at::logaddexp(lse, part.lse), 1);
}

c10::intrusive_ptr<Kept> forward_calls(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionPlan& plan) {
  auto kept = c10::make_intrusive<Kept>();
  for (const AttentionCall& call : plan.calls) {
    Attended part = attend(call.q_rows.of(q), call.k_rows.of(k), call.k_rows.of(v), call);
    if (kept->calls.empty()) kept->out = part.out, kept->lse = part.lse.contiguous();
    else merge(*kept, part, call.q_rows);
    kept->calls.push_back({{}, {}, part.rng_state, part.unused});
  }
  return kept;
}

struct GpuAttention : torch::autograd::Function<GpuAttention> {
  static Variable forward(AutogradContext* ctx, const Variable& q, const Variable& k, const Variable& v,
                          const std::shared_ptr<const AttentionPlan>& plan) {
    const auto kept = forward_calls(q, k, v, *plan);
    kept->plan = plan;
    const int64_t used = kept->out.size(0), padding = q.size(0) - used;
    ctx->save_for_backward({q, k, v});
    ctx->saved_data["kept"] = c10::IValue::make_capsule(kept);
    const at::Tensor rows = kept->out.view({used, -1});
    return padding > 0 ? at::constant_pad_nd(rows, {0, 0, 0, padding}) : rows.detach();
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(ctx->saved_data["kept"].toCapsule());
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const at::Tensor d_out = grads[0].narrow(0, 0, kept->out.size(0)).contiguous().view_as(kept->out);
    // Keys that several calls read: their gradients are added in float32.
    const at::ScalarType sum_type = kept->calls.size() > 1 ? at::kFloat : k.scalar_type();
    at::Tensor dq, dk, dv;
    for (size_t i = 0; i < kept->calls.size(); ++i) {
      const AttentionCall& call = kept->plan->calls[i];
      const auto [dq_part, dk_part, dv_part] =
          attend_backward(call.q_rows.of(d_out), call.q_rows.of(q), call.k_rows.of(k), call.k_rows.of(v), call.q_rows.of(kept->out),
                          call.q_rows.of(kept->lse, 1).contiguous(), kept->calls[i], call);
      if (i == 0) {
        dq = call.q_rows.spread(dq_part, q.size(0));
        dk = call.k_rows.spread(dk_part.to(sum_type), k.size(0)), dv = call.k_rows.spread(dv_part.to(sum_type), v.size(0));
        continue;
      }
      call.q_rows.add_to(dq, dq_part);
      call.k_rows.add_to(dk, dk_part);
      call.k_rows.add_to(dv, dv_part);
    }
    return {dq, dk.to(k.scalar_type()), dv.to(v.scalar_type()), Variable()};
  }
};

}  // namespace

at::Tensor gpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::shared_ptr<const AttentionPlan> plan) {
  return GpuAttention::apply(q, k, v, plan);
}

}  // namespace vsgrpo
