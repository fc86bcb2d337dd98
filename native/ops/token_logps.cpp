#include "ops/token_logps.h"

#include "core/buckets.h"
#include "core/check.h"
#include "core/fast_math.h"
#include "ops/linear.h"
#include "ops/matmul.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

constexpr int64_t kChunkElements = 16 << 20;  // logits of one chunk: 64 MB in fp32

// What one row of logits says: log-sum-exp of z = logits / T, mean of z under the softmax, the most likely token.
struct RowSummary {
  float lse, mean, top;
};

RowSummary summarize(const float* row, int64_t vocab, float inverse_t) {
  float top = row[0];
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < vocab; ++j) top = std::max(top, row[j]);
  top *= inverse_t;
  float sum = 0, weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
  for (int64_t j = 0; j < vocab; ++j) {
    const float z = row[j] * inverse_t - top, e = fast_exp(z);
    sum += e;
    weighted += e * z;
  }
  return {top + std::log(sum), top + weighted / sum, top};
}

// In place: logits -> d loss / d logits. With p = softmax(z), H = lse - E[z]:
// dz_j = dlogp (1[j = y] - p_j) - dentropy p_j (z_j - E[z]), d logits = dz / T.
void logits_gradient(float* row, int64_t vocab, int64_t target, float inverse_t, const RowSummary& s, const TokenGradient& g) {
  for (int64_t j = 0; j < vocab; ++j) {
    const float z = row[j] * inverse_t, p = fast_exp(z - s.lse);
    row[j] = -p * (g.dlogp + g.dentropy * (z - s.mean)) * inverse_t;
  }
  row[target] += g.dlogp * inverse_t;
}

struct Pass {
  const at::Tensor& hidden;
  const at::Tensor& weight;
  const at::Tensor& targets;
  float inverse_t;
  TokenStats stats;

  int64_t rows() const { return hidden.size(0); }
  int64_t vocab() const { return weight.size(0); }
  int64_t chunk_rows() const { return std::max<int64_t>(16, kChunkElements / vocab()); }
  // Rows [first, first + count) of the hidden states, and zeros up to a bucket of rows.
  at::Tensor chunk(int64_t first, int64_t count) const {
    return at::constant_pad_nd(hidden.narrow(0, first, count), {0, 0, 0, bucket_rows(count) - count});
  }
};

Pass start(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature) {
  const int64_t k = hidden.size(0);
  VS_CHECK(targets.size(0) == k, "BAD_SHAPE", "[token_logps] expected ", k, " targets, got ", targets.size(0));
  VS_CHECK(temperature > 0, "BAD_ARGUMENT", "[token_logps] temperature must be above 0, got ", temperature);
  if (k > 0) {
    const int64_t low = targets.min().item<int64_t>(), high = targets.max().item<int64_t>();
    VS_CHECK(low >= 0 && high < weight.value.size(0), "BAD_SHAPE", "[token_logps] target ids must lie in [0, ", weight.value.size(0),
             "), got ", low < 0 ? low : high);
  }
  return {hidden, weight.value, targets, static_cast<float>(1.0 / temperature),
          {at::empty({k}, at::kFloat), at::empty({k}, at::kFloat), at::empty({k}, at::kByte)}};
}

// Fills the statistics of rows [first, first + count); with a loss, turns the logits into their gradient.
void run_chunk(Pass& pass, at::Tensor& logits, int64_t first, int64_t count, const TokenLoss* loss) {
  const int64_t vocab = pass.vocab();
  const int* targets = pass.targets.const_data_ptr<int>();
  float *data = logits.mutable_data_ptr<float>(), *logps = pass.stats.logps.mutable_data_ptr<float>();
  float* entropy = pass.stats.entropy.mutable_data_ptr<float>();
  uint8_t* correct = pass.stats.correct.mutable_data_ptr<uint8_t>();
  parallel_rows(count, vocab, [&](int64_t i) {
    float* row = data + i * vocab;
    const int64_t k = first + i, target = targets[k];
    const RowSummary s = summarize(row, vocab, pass.inverse_t);
    const float z = row[target] * pass.inverse_t;
    logps[k] = z - s.lse;
    entropy[k] = s.lse - s.mean;
    correct[k] = z >= s.top;
    if (loss) logits_gradient(row, vocab, target, pass.inverse_t, s, (*loss)(k, logps[k], entropy[k]));
  });
}

at::Tensor chunk_logits(const Pass& pass, int64_t first, int64_t count) {
  return matmul_nt(pass.chunk(first, count), pass.weight).to(at::kFloat);
}

}  // namespace

TokenStats token_logps(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature) {
  Pass pass = start(hidden, weight, targets, temperature);
  for (int64_t first = 0; first < pass.rows(); first += pass.chunk_rows()) {
    const int64_t count = std::min(pass.chunk_rows(), pass.rows() - first);
    at::Tensor logits = chunk_logits(pass, first, count);
    run_chunk(pass, logits, first, count, nullptr);
  }
  return pass.stats;
}

TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const TokenLoss& loss, at::Tensor& d_hidden) {
  Pass pass = start(hidden, weight, targets, temperature);
  d_hidden = at::empty_like(hidden);
  for (int64_t first = 0; first < pass.rows(); first += pass.chunk_rows()) {
    const int64_t count = std::min(pass.chunk_rows(), pass.rows() - first);
    at::Tensor logits = chunk_logits(pass, first, count);
    run_chunk(pass, logits, first, count, &loss);
    logits.narrow(0, count, logits.size(0) - count).zero_();
    const at::Tensor d_logits = logits.to(hidden.scalar_type());
    d_hidden.narrow(0, first, count).copy_(matmul_nt(d_logits, weight.value.t()).narrow(0, 0, count));
    if (weight.trainable()) add_weight_grad(weight.grad, d_logits, pass.chunk(first, count));
  }
  return pass.stats;
}

float row_logp(const float* logits, int64_t vocab, int64_t target, float temperature) {
  const float inverse_t = 1.0f / temperature;
  return logits[target] * inverse_t - summarize(logits, vocab, inverse_t).lse;
}

}  // namespace vsgrpo
