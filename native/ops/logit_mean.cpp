#include "ops/logit_mean.h"

namespace vsgrpo {
namespace {

constexpr int64_t kChunkRows = 4096;  // of a bfloat16 weight, that are float32 at a time

// [V, H] -> [H]
at::Tensor mean_row(const at::Tensor& weight) {
  at::Tensor sum = at::zeros({weight.size(1)}, weight.options().dtype(at::kFloat));
  for (int64_t first = 0; first < weight.size(0); first += kChunkRows) {
    sum += weight.narrow(0, first, std::min(kChunkRows, weight.size(0) - first)).to(at::kFloat).sum(0);
  }
  return sum / static_cast<double>(weight.size(0));
}

}  // namespace

at::Tensor logit_mean(const at::Tensor& hidden, const at::Tensor& weight) { return at::mv(hidden.to(at::kFloat), mean_row(weight)); }

}  // namespace vsgrpo
