// Forest attention, its gradients and its decoding form against a dense masked softmax in double, on segments longer than a
// tile; the head in several chunks against the head in one.
#include "golden.h"
#include "ops/attention.h"
#include "ops/token_logps.h"

namespace {

using vsgrpo::Forest;

struct Shape {
  int64_t heads, kv_heads, dim;
};

// [N, N] true where row i may read row j.
at::Tensor visibility(const Forest& forest, bool causal) {
  const int64_t n = forest.rows();
  at::Tensor visible = at::zeros({n, n}, at::kBool);
  for (int64_t s = 0; s < forest.segments(); ++s) {
    for (int64_t a = s; a >= 0; a = forest.parent(a)) {
      at::Tensor block = visible.narrow(0, forest.begin(s), forest.length(s)).narrow(1, forest.begin(a), forest.length(a));
      block.fill_(true);
      if (a == s && causal) block.tril_();
    }
  }
  return visible;
}

at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& visible) {
  const int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(group, 1).permute({1, 2, 0}), values = v.repeat_interleave(group, 1).transpose(0, 1);
  const at::Tensor scores = at::matmul(q.transpose(0, 1), keys) / std::sqrt(static_cast<double>(q.size(2)));
  const at::Tensor p = at::softmax(scores.masked_fill(visible.logical_not(), -std::numeric_limits<double>::infinity()), -1);
  return at::matmul(p, values).transpose(0, 1).reshape({q.size(0), -1});
}

struct Run {
  at::Tensor out, dq, dk, dv;
};

template <typename Attention>
Run run(const std::vector<at::Tensor>& qkv, at::ScalarType dtype, const at::Tensor& d_out, const Attention& attention) {
  std::vector<at::Tensor> leaf;
  for (const at::Tensor& x : qkv) leaf.push_back(x.to(dtype).clone().set_requires_grad(true));
  const at::Tensor out = attention(leaf[0], leaf[1], leaf[2]);
  out.backward(d_out.to(dtype));
  return {out.detach(), leaf[0].grad(), leaf[1].grad(), leaf[2].grad()};
}

void check_attention(const std::string& what, const Forest& forest, const Shape& shape, bool causal) {
  const int64_t n = forest.rows();
  const std::vector<at::Tensor> qkv = {at::randn({n, shape.heads, shape.dim}), at::randn({n, shape.kv_heads, shape.dim}),
                                       at::randn({n, shape.kv_heads, shape.dim})};
  const at::Tensor d_out = at::randn({n, shape.heads * shape.dim}), visible = visibility(forest, causal);
  const auto forest_attention = [&](auto& q, auto& k, auto& v) { return vsgrpo::forest_attention(q, k, v, forest, causal); };
  const Run ours = run(qkv, at::kFloat, d_out, forest_attention);
  const Run dense = run(qkv, at::kDouble, d_out, [&](auto& q, auto& k, auto& v) { return dense_attention(q, k, v, visible); });
  golden::check_close(what + " out", ours.out, dense.out, 5e-6);
  golden::check_close(what + " dq", ours.dq, dense.dq, 1e-5);
  golden::check_close(what + " dk", ours.dk, dense.dk, 5e-5);
  golden::check_close(what + " dv", ours.dv, dense.dv, 5e-5);
}

}  // namespace

TEST_CASE("attention over segments longer than a tile equals a dense masked softmax") {
  at::manual_seed(11);
  check_attention("one causal segment", Forest::roots({200}), {4, 2, 16}, true);
  check_attention("full segments", Forest::roots({130, 7, 64, 65}), {2, 2, 12}, false);
  check_attention("seven queries per key", Forest::roots({63, 64, 65}), {7, 1, 8}, true);
}

TEST_CASE("attention over deep and wide forests equals a dense masked softmax") {
  at::manual_seed(12);
  // Two trees: a long prefix with two questions and their completions (one empty), and a chain of four.
  const Forest forest{{0, 150, 160, 230, 235, 235, 300, 301, 310, 390, 470, 480}, {-1, 0, 0, 1, 1, 2, 2, -1, 7, 8, 9}};
  forest.validate(480);
  check_attention("forest", forest, {6, 2, 16}, true);
}

TEST_CASE("decoding attention equals the last row of attention over the whole sequence") {
  at::manual_seed(13);
  const Shape shape{6, 2, 16};
  const Forest forest{{0, 90, 100, 130, 131}, {-1, 0, 0, 2}};
  const int64_t n = forest.rows();
  const at::Tensor q = at::randn({n, shape.heads, shape.dim}), k = at::randn({n, 2, 16}), v = at::randn({n, 2, 16});
  const at::Tensor all = vsgrpo::forest_attention(q, k, v, forest, true);
  // Row 0 continues segment 0 by segment 1, row 1 segment 2 by segment 3; row 2, between them in the cache, has ended.
  const Forest prompts{{0, 90, 100, 130}, {-1, 0, 0}};
  vsgrpo::KvCache cache(k.narrow(0, 0, 130), v.narrow(0, 0, 130), 3, 10);
  for (int64_t step = 0; step < 10; ++step) {
    const at::Tensor rows = at::tensor(std::vector<int64_t>{90 + step, 130});
    cache.append({0, 2}, step, k.index_select(0, rows), v.index_select(0, rows));
  }
  std::vector<vsgrpo::DecodeRow> first{{0, 0}}, second{{2, 2}};
  const auto decode = [&](int64_t row, const std::vector<vsgrpo::DecodeRow>& of, int64_t steps) {
    return vsgrpo::decode_attention(q.narrow(0, row, 1).contiguous(), prompts, cache, of, steps);
  };
  const at::Tensor decoded = at::cat({decode(99, first, 10), decode(130, second, 1)});
  const at::Tensor picked = at::tensor(std::vector<int64_t>{99, 130});
  golden::check_close("decoding", decoded, all.index_select(0, picked), 2e-6);
}

TEST_CASE("the head in chunks, at Qwen2-VL's vocabulary, equals log-softmax and its gradients in double") {
  at::manual_seed(14);
  const int64_t k = 120, width = 3, vocab = 151936;  // 110 rows fit in a chunk
  const at::Tensor hidden = at::randn({k, width}), ids = at::randint(0, vocab, {k}, at::kInt), dlogps = at::randn({k});
  vsgrpo::Parameter weight{at::randn({vocab, width}), {}};
  weight.make_trainable();
  at::Tensor d_hidden;
  const float* d = dlogps.const_data_ptr<float>();
  const auto stats = vsgrpo::token_logps_backward(
      hidden, weight, ids, 0.9, [d](int64_t i, float, float) { return vsgrpo::TokenGradient{d[i], 0.0f}; }, d_hidden);
  golden::check_close("without gradients", vsgrpo::token_logps(hidden, weight, ids, 0.9).logps, stats.logps, 0.0);
  const at::Tensor w = weight.value.to(at::kDouble), h = hidden.to(at::kDouble), column = ids.to(at::kLong).unsqueeze(1);
  const at::Tensor logp = at::log_softmax(at::mm(h, w.t()).div_(0.9), 1), upstream = dlogps.to(at::kDouble).unsqueeze(1) / 0.9;
  golden::check_close("logps", stats.logps, logp.gather(1, column).squeeze(1), 3e-5);
  const at::Tensor d_logits = at::exp(logp).mul_(-upstream).scatter_add_(1, column, upstream);
  const double hidden_off = golden::relative(d_hidden, at::mm(d_logits, w));
  const double weight_off = golden::relative(weight.grad, at::mm(d_logits.t(), h));
  MESSAGE("relative difference of d hidden " << hidden_off << ", of d weight " << weight_off);
  CHECK_LE(hidden_off, 1.5e-4);  // torch's own float32 product over 151936 tokens is off by 7e-5
  CHECK_LE(weight_off, 2e-5);
}
