#include "ops/token_logps.h"

#include <atomic>

#include "core/buckets.h"
#include "core/check.h"
#include "core/fast_math.h"
#include "ops/logits_memory.h"
#include "ops/matmul.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

constexpr int64_t kChunkBytes = 96 << 20;
constexpr int64_t kGpuChunkBytes = 640 << 20;  // more rows keep a GPU's matrix units busy
constexpr int64_t kStep = 128, kGpuStep = 256;  // of a chunk's rows: nothing to pad, and the largest of cuBLAS's tiles full
std::atomic<int64_t> chunk_limit = 0;

// What one row of logits says: log-sum-exp of z = logits / T, mean of z under the softmax, the most likely token.
struct RowSummary {
  float lse, mean, top;
};

RowSummary summarize(const float* row, int64_t vocab, float inverse_t) {
  // Pieces, whose sums are added in double: a vocabulary's worth of small terms would not count beside a large float.
  constexpr int64_t piece = 1024;
  const float top = largest(row, vocab) * inverse_t;
  double sum = 0, weighted = 0;
  for (int64_t begin = 0; begin < vocab; begin += piece) {
    const int64_t end = std::min(vocab, begin + piece);
    float part = 0, weighted_part = 0;
#pragma omp simd reduction(+ : part, weighted_part)
    for (int64_t j = begin; j < end; ++j) {
      const float z = row[j] * inverse_t - top, e = fast_exp(z);
      part += e;
      weighted_part += e * z;
    }
    sum += part;
    weighted += weighted_part;
  }
  return {top + static_cast<float>(std::log(sum)), top + static_cast<float>(weighted / sum), top};
}

// logits -> d loss / d logits. With p = softmax(z), H = lse - E[z]:
// dz_j = dlogp (1[j = y] - p_j) - dentropy p_j (z_j - E[z]), d logits = dz / T.
template <typename T>
void logits_gradient(const float* row, T* out, int64_t vocab, int64_t target, float inverse_t, const RowSummary& s, const TokenGradient& g) {
  const float at_target = row[target] * inverse_t, p_target = fast_exp(at_target - s.lse);
  for (int64_t j = 0; j < vocab; ++j) {
    const float z = row[j] * inverse_t, p = fast_exp(z - s.lse);
    out[j] = static_cast<T>(-p * (g.dlogp + g.dentropy * (z - s.mean)) * inverse_t);
  }
  out[target] = static_cast<T>((g.dlogp - p_target * (g.dlogp + g.dentropy * (at_target - s.mean))) * inverse_t);
}

struct Pass {
  const at::Tensor& hidden;
  const at::Tensor& weight;
  at::Tensor targets;
  double temperature;
  float inverse_t;
  TokenStats stats;

  int64_t rows() const { return hidden.size(0); }
  int64_t vocab() const { return weight.size(0); }
  int64_t chunk_rows() const {
    const int64_t limit = chunk_limit.load(), bytes = limit > 0 ? limit : on_gpu(hidden) ? kGpuChunkBytes : kChunkBytes;
    const int64_t fit = bytes / (vocab() * hidden.element_size()), step = on_gpu(hidden) ? kGpuStep : kStep;
    return std::max<int64_t>(16, fit >= step ? fit / step * step : fit);
  }
  // Rows [first, first + count) of the hidden states, and zeros up to padded_rows().
  at::Tensor chunk(int64_t first, int64_t count) const {
    return at::constant_pad_nd(hidden.narrow(0, first, count), {0, 0, 0, padded_rows(count, weight, 16) - count});
  }
};

Pass start(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature) {
  const int64_t k = hidden.size(0);
  VS_CHECK(targets.size(0) == k, "BAD_SHAPE", "[token_logps] expected ", k, " targets, got ", targets.size(0));
  VS_CHECK(temperature >= 1e-6 && temperature <= 1e6, "BAD_ARGUMENT", "[token_logps] temperature: expected 1e-6 to 1e6, got ", temperature);
  if (k > 0) {
    const int64_t low = targets.min().item<int64_t>(), high = targets.max().item<int64_t>();
    VS_CHECK(low >= 0 && high < weight.value.size(0), "BAD_SHAPE", "[token_logps] target ids must lie in [0, ", weight.value.size(0),
             "), got ", low < 0 ? low : high);
  }
  const auto values = [&](at::ScalarType dtype) { return at::empty({k}, hidden.options().dtype(dtype)); };
  return {hidden, weight.value, upload(targets, hidden.device()), temperature, static_cast<float>(1.0 / temperature),
          {values(at::kFloat), values(at::kFloat), values(at::kByte)}};
}

// The statistics of token k from its logits; with a loss, the logits become their gradient.
template <typename T>
void run_row(const Pass& pass, T* logits, int64_t k, const TokenLoss* loss, std::vector<float>& scratch) {
  const int64_t vocab = pass.vocab(), target = pass.targets.const_data_ptr<int>()[k];
  const float* row;
  if constexpr (std::is_same_v<T, float>) {
    row = logits;
  } else {
    scratch.resize(static_cast<size_t>(vocab));
    for (int64_t j = 0; j < vocab; ++j) scratch[static_cast<size_t>(j)] = static_cast<float>(logits[j]);
    row = scratch.data();
  }
  const RowSummary s = summarize(row, vocab, pass.inverse_t);
  const float z = row[target] * pass.inverse_t, logp = z - s.lse, entropy = s.lse - s.mean;
  pass.stats.logps.mutable_data_ptr<float>()[k] = logp;
  pass.stats.entropy.mutable_data_ptr<float>()[k] = entropy;
  pass.stats.correct.mutable_data_ptr<uint8_t>()[k] = z >= s.top;
  if (loss) logits_gradient(row, logits, vocab, target, pass.inverse_t, s, (*loss)(k, logp, entropy));
}

void run_chunk_on_gpu(const Pass& pass, const at::Tensor& logits, int64_t first, int64_t count, const DeviceTokenLoss* loss) {
  const auto rows = [&](const at::Tensor& t) { return t.narrow(0, first, count); };
  const DeviceTokenLoss part = loss ? loss->narrow(first, count) : DeviceTokenLoss();
  gpu().token_loss(logits.narrow(0, 0, count), rows(pass.targets), pass.temperature, rows(pass.stats.logps), rows(pass.stats.entropy),
                   rows(pass.stats.correct), loss ? &part : nullptr);
}

// Fills the statistics of rows [first, first + count).
void run_chunk(const Pass& pass, at::Tensor& logits, int64_t first, int64_t count, const TokenLoss* loss) {
  dispatch_float(logits, [&]<typename T>() {
    T* data = logits.mutable_data_ptr<T>();
    parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch;
      for (int64_t i = begin; i < end; ++i) run_row(pass, data + i * pass.vocab(), first + i, loss, scratch);
    });
  });
}

// Calls body(first, count, hidden, logits) for every chunk of rows; hidden and logits are padded.
template <typename Body>
void for_chunks(const Pass& pass, const Body& body) {
  // A GPU's allocator keeps memory by itself.
  const auto shared = on_gpu(pass.hidden) ? std::make_shared<at::Tensor>() : logits_memory();
  at::Tensor& memory = *shared;
  for (int64_t first = 0; first < pass.rows(); first += pass.chunk_rows()) {
    const int64_t count = std::min(pass.chunk_rows(), pass.rows() - first);
    const at::Tensor hidden = pass.chunk(first, count);
    const int64_t values = hidden.size(0) * pass.vocab();
    if (!memory.defined() || memory.scalar_type() != hidden.scalar_type() || memory.numel() < values) {
      memory.reset();
      memory = at::empty({values}, hidden.options());
    }
    at::Tensor logits = memory.narrow(0, 0, values).view({hidden.size(0), pass.vocab()});
    matmul_nt_into(logits, hidden, pass.weight);
    body(first, count, hidden, logits);
  }
}

// `run` turns a chunk of logits into statistics and their gradient.
template <typename Run>
TokenStats backward(const Pass& pass, Parameter& weight, at::Tensor& d_hidden, const Run& run) {
  d_hidden = at::empty_like(pass.hidden);
  for_chunks(pass, [&](int64_t first, int64_t count, const at::Tensor& rows, at::Tensor& logits) {
    run(logits, first, count);
    logits.narrow(0, count, logits.size(0) - count).zero_();
    d_hidden.narrow(0, first, count).copy_(matmul_nn(logits, weight.value).narrow(0, 0, count));
    if (weight.trainable()) add_matmul_tn(weight.grad, logits, rows);
  });
  return pass.stats;
}

}  // namespace

std::shared_ptr<at::Tensor> logits_memory() {
  static thread_local std::weak_ptr<at::Tensor> known;
  auto memory = known.lock();
  if (!memory) known = memory = std::make_shared<at::Tensor>();
  return memory;
}

void limit_logits(int64_t bytes) { chunk_limit = bytes; }

TokenStats TokenStats::cpu() const {
  return {logps.cpu(), entropy.cpu(), correct.cpu(), logit_mean.defined() ? logit_mean.cpu() : at::Tensor()};
}

TokenStats token_logps(const at::Tensor& hidden, const Parameter& weight, const at::Tensor& targets, double temperature) {
  Pass pass = start(hidden, weight, targets, temperature);
  for_chunks(pass, [&](int64_t first, int64_t count, const at::Tensor&, at::Tensor& logits) {
    if (on_gpu(hidden)) run_chunk_on_gpu(pass, logits, first, count, nullptr);
    else run_chunk(pass, logits, first, count, nullptr);
  });
  return pass.stats;
}

TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const TokenLoss& loss, at::Tensor& d_hidden) {
  const Pass pass = start(hidden, weight, targets, temperature);
  return backward(pass, weight, d_hidden, [&](at::Tensor& logits, int64_t first, int64_t count) { run_chunk(pass, logits, first, count, &loss); });
}

TokenStats token_logps_backward(const at::Tensor& hidden, Parameter& weight, const at::Tensor& targets, double temperature,
                                const DeviceTokenLoss& loss, at::Tensor& d_hidden) {
  const Pass pass = start(hidden, weight, targets, temperature);
  return backward(pass, weight, d_hidden, [&](at::Tensor& logits, int64_t first, int64_t count) { run_chunk_on_gpu(pass, logits, first, count, &loss); });
}

float row_lse(const float* logits, int64_t vocab) { return summarize(logits, vocab, 1).lse; }

}  // namespace vsgrpo
