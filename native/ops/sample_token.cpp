#include "ops/sample_token.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "core/fast_math.h"
#include "ops/token_logps.h"

namespace vsgrpo {
namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

void penalize(std::vector<float>& logits, const std::vector<int32_t>& seen, float penalty) {
  std::vector<int32_t> once(seen);
  std::sort(once.begin(), once.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  for (const int32_t id : once) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

void keep_top_k(std::vector<float>& logits, int64_t k) {
  if (k >= static_cast<int64_t>(logits.size())) return;
  std::vector<float> sorted(logits);
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<float>());
  const float threshold = sorted[static_cast<size_t>(k - 1)];
  for (float& logit : logits) {
    if (logit < threshold) logit = kRemoved;
  }
}

// Removes the tail whose ascending cumulative probability is at most 1 - p; the best token always stays.
void keep_top_p(std::vector<float>& logits, float p) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] < logits[b]; });
  const float top = logits[static_cast<size_t>(order.back())];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - top));
  double cumulative = 0;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    float& logit = logits[static_cast<size_t>(order[i])];
    cumulative += std::exp(static_cast<double>(logit - top)) / sum;
    if (cumulative > 1.0 - static_cast<double>(p)) break;
    logit = kRemoved;
  }
}

void keep_min_p(std::vector<float>& logits, float min_p) {
  const float threshold = largest(logits.data(), std::ssize(logits)) + std::log(min_p);
  for (float& logit : logits) {
    if (logit < threshold) logit = kRemoved;
  }
}

bool has_nan(const std::vector<float>& logits) {
  int count = 0;
  const float* data = logits.data();
#pragma omp simd reduction(+ : count)
  for (size_t j = 0; j < logits.size(); ++j) count += data[j] != data[j];
  return count > 0;
}

void check_finite(float top, bool has_nan) {
  VS_CHECK(!has_nan && std::isfinite(top), "NUMERICS", "[sample_token] the largest logit is ", has_nan ? NAN : top, ": the weights have diverged");
}

}  // namespace

Drawn draw_token(std::vector<float>& logits, double u) {
  constexpr size_t piece = 1024;
  const float top = largest(logits.data(), std::ssize(logits));
  std::vector<double> sums;
  double sum = 0;
  for (size_t begin = 0; begin < logits.size(); begin += piece) {
    const size_t end = std::min(logits.size(), begin + piece);
    float part = 0, *data = logits.data();
#pragma omp simd reduction(+ : part)
    for (size_t j = begin; j < end; ++j) {
      data[j] = data[j] == kRemoved ? 0.0f : fast_exp(data[j] - top);
      part += data[j];
    }
    sums.push_back(part);
    sum += part;
  }
  check_finite(top, std::isnan(sum));
  const double target = u * sum;
  double running = 0;
  size_t at = 0;
  while (at + 1 < sums.size() && running + sums[at] <= target) running += sums[at++];
  int64_t last = -1;
  for (size_t j = at * piece; j < logits.size(); ++j) {
    if (logits[j] == 0.0f) continue;
    last = static_cast<int64_t>(j);
    running += logits[j];
    if (running > target) break;
  }
  // Rounding may put the target behind every token of the last piece.
  if (last < 0) last = std::max_element(logits.begin(), logits.end()) - logits.begin();
  const double log_sum = std::log(sum), share = logits[static_cast<size_t>(last)];
  return {last, static_cast<float>(std::log(share) - log_sum), top + static_cast<float>(log_sum)};
}

Drawn sample_token(std::vector<float>& logits, const SamplingOptions& o, const std::vector<int32_t>& seen, double u) {
  if (o.repetition_penalty != 1.0f) penalize(logits, seen, o.repetition_penalty);
  const float top = largest(logits.data(), std::ssize(logits));
  check_finite(top, has_nan(logits));
  if (o.temperature == 0.0f) {
    const float lse = row_lse(logits.data(), std::ssize(logits));
    return {std::find(logits.begin(), logits.end(), top) - logits.begin(), top - lse, lse};
  }
  if (o.temperature != 1.0f) {
    for (float& logit : logits) logit /= o.temperature;
  }
  if (o.top_k > 0) keep_top_k(logits, o.top_k);
  if (o.top_p < 1.0f) keep_top_p(logits, o.top_p);
  if (o.min_p > 0.0f) keep_min_p(logits, o.min_p);
  return draw_token(logits, u);
}

}  // namespace vsgrpo
