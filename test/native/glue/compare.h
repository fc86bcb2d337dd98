// Comparisons of the GPU's results with the CPU engine's.
#pragma once
#include "check.h"
#include "core/pch.h"

namespace gpu_test {

using Results = std::vector<at::Tensor>;

// The largest difference, as a share of the largest value.
inline double share(const at::Tensor& actual, const at::Tensor& expected) {
  if (expected.numel() == 0) return 0;
  const at::Tensor a = actual.to(at::kDouble), b = expected.to(at::kDouble);
  return (a - b).abs().max().item<double>() / std::max(1e-12, b.abs().max().item<double>());
}

// || a - b || / || b ||
inline double relative(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor a = actual.to(at::kDouble), b = expected.to(at::kDouble);
  return (a - b).norm().item<double>() / std::max(1e-12, b.norm().item<double>());
}

// The share of values that are not the same to the last bit.
inline double changed(const at::Tensor& actual, const at::Tensor& expected) {
  return actual.ne(expected).to(at::kDouble).mean().item<double>();
}

// Fails unless every tensor is within `tolerance` of its largest value, and no more than the share `most_changed` of its
// values differ at all; prints the worst.
inline void check_all(const std::string& name, const Results& actual, const Results& expected, double tolerance, double most_changed = 1) {
  if (actual.size() != expected.size()) FAIL(name << ": " << actual.size() << " results, expected " << expected.size());
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i].sizes() != expected[i].sizes()) FAIL(name << " " << i << ": shape " << actual[i].sizes() << ", expected " << expected[i].sizes());
    const double difference = share(actual[i], expected[i]);
    // Written so that a NaN fails.
    CHECK_MESSAGE(difference <= tolerance, name << ", result " << i << ", differs by " << difference << " of the largest value, allowed " << tolerance);
    const double other = changed(actual[i], expected[i]);
    CHECK_MESSAGE(other <= most_changed, name << ", result " << i << ": " << other << " of the values differ, allowed " << most_changed);
    worst = std::max(worst, difference);
  }
  MESSAGE(name << ": worst difference " << worst << " of the largest value, " << actual.size() << " results");
}

}  // namespace gpu_test
