#include "ops/attention_call.h"

#include <ATen/Context.h>

namespace vsgrpo {
namespace {

// What libtorch's flash attention has kernels for.
bool takes_flash(const at::Tensor& q) {
  return q.is_cuda() && (q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf) && q.size(2) % 8 == 0 && q.size(2) <= 256;
}

// Query rows of one key head together, in float32: [M, H, D] -> [KV, M * H / KV, D] and back.
at::Tensor by_key_head(const at::Tensor& x, int64_t kv_heads) {
  const int64_t group = x.size(1) / kv_heads;
  return x.to(at::kFloat).view({x.size(0), kv_heads, group, x.size(2)}).permute({1, 0, 2, 3}).reshape({kv_heads, x.size(0) * group, x.size(2)});
}

at::Tensor by_row(const at::Tensor& x, int64_t rows) {
  return x.view({x.size(0), rows, x.size(1) / rows, x.size(2)}).permute({1, 0, 2, 3}).reshape({rows, -1, x.size(2)});
}

// One pair of ranges of the reference.
struct Range {
  int64_t q_first, q_count, k_first, k_count;

  Range(const AttentionCall& call, size_t i)
      : q_first(call.q_offsets[i]), q_count(call.q_offsets[i + 1] - q_first), k_first(call.k_offsets[i]), k_count(call.k_offsets[i + 1] - k_first) {}

  at::Tensor queries(const at::Tensor& x) const { return x.narrow(0, q_first, q_count); }
  // [N, KV, D] -> [KV, n, D]
  at::Tensor keys(const at::Tensor& x) const { return x.narrow(0, k_first, k_count).to(at::kFloat).transpose(0, 1); }

  // q as by_key_head gives it -> [KV, M * group, n]; -inf where a query may not look.
  at::Tensor scores(const at::Tensor& q, const at::Tensor& k, bool causal) const {
    at::Tensor s = at::bmm(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
    if (!causal) return s;
    const at::Tensor later = at::ones({q_count, k_count}, s.options().dtype(at::kBool)).triu_(1);
    return s.view({k.size(0), q_count, -1, k_count}).masked_fill(later.view({1, q_count, 1, k_count}), -INFINITY).view(s.sizes());
  }
};

Attended reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionCall& call) {
  Attended result{at::empty(q.sizes(), q.options()), at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat)), {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(call.ranges()); ++i) {
    const Range range(call, i);
    const at::Tensor scores = range.scores(by_key_head(range.queries(q), k.size(1)), range.keys(k), call.causal);
    const at::Tensor lse = at::logsumexp(scores, {2}, /*keepdim=*/true);
    range.queries(result.out).copy_(by_row(at::bmm((scores - lse).exp(), range.keys(v)), range.q_count));
    result.lse.narrow(1, range.q_first, range.q_count).copy_(by_row(lse, range.q_count).squeeze(2).t());
  }
  return result;
}

std::array<at::Tensor, 3> reference_backward(const at::Tensor& d_out, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                             const at::Tensor& out, const at::Tensor& lse, const AttentionCall& call) {
  at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(2)));
  for (size_t i = 0; i < static_cast<size_t>(call.ranges()); ++i) {
    const Range range(call, i);
    const auto grouped = [&](const at::Tensor& x) { return by_key_head(range.queries(x), k.size(1)); };
    const at::Tensor queries = grouped(q), d = grouped(d_out), keys = range.keys(k), values = range.keys(v);
    const at::Tensor row_lse = grouped(lse.t().unsqueeze(2)), row_sum = (d * grouped(out)).sum(2, true);
    const at::Tensor p = (range.scores(queries, keys, call.causal) - row_lse).exp();
    const at::Tensor ds = p * (at::bmm(d, values.transpose(1, 2)) - row_sum) * scale;
    range.queries(dq).copy_(by_row(at::bmm(ds, keys), range.q_count));
    dk.narrow(0, range.k_first, range.k_count).copy_(at::bmm(ds.transpose(1, 2), queries).transpose(0, 1));
    dv.narrow(0, range.k_first, range.k_count).copy_(at::bmm(p.transpose(1, 2), d).transpose(0, 1));
  }
  return {dq, dk, dv};
}

// While this lives, libtorch's flash attention adds up d q in a fixed order instead of by atomic sums: a run can be repeated bit
// for bit. Only around that call: everywhere else the setting fills new tensors and refuses operations.
class FixedOrder {
 public:
  FixedOrder() { context_.setDeterministicAlgorithms(true, /*warn_only=*/true), context_.setDeterministicFillUninitializedMemory(false); }
  ~FixedOrder() { context_.setDeterministicAlgorithms(before_, warned_), context_.setDeterministicFillUninitializedMemory(filled_); }
  FixedOrder(const FixedOrder&) = delete;
  FixedOrder& operator=(const FixedOrder&) = delete;

 private:
  at::Context& context_ = at::globalContext();
  bool before_ = context_.deterministicAlgorithms(), warned_ = context_.deterministicAlgorithmsWarnOnly();
  bool filled_ = context_.deterministicFillUninitializedMemory();
};

}  // namespace

Attended attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionCall& call) {
  if (!takes_flash(q)) return reference(q, k, v, call);
  // What follows the causal flag and the debug mask differs between libtorch's versions: left at its defaults.
  auto [out, lse, rng_state, unused, mask] =
      at::_flash_attention_forward(q, k, v, call.q_offsets_on_device, call.k_offsets_on_device, call.longest_q, call.longest_k,
                                   /*dropout_p=*/0.0, call.causal, /*return_debug_mask=*/false);
  return {out, lse, rng_state, unused};
}

std::array<at::Tensor, 3> attend_backward(const at::Tensor& d_out, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                          const at::Tensor& out, const at::Tensor& lse, const Attended& forward, const AttentionCall& call) {
  if (!takes_flash(q)) return reference_backward(d_out, q, k, v, out, lse, call);
  const FixedOrder fixed;
  auto [dq, dk, dv] = at::_flash_attention_backward(d_out, q, k, v, out, lse, call.q_offsets_on_device, call.k_offsets_on_device,
                                                    call.longest_q, call.longest_k, /*dropout_p=*/0.0, call.causal, forward.rng_state,
                                                    forward.unused);
  return {dq, dk, dv};
}

}  // namespace vsgrpo
