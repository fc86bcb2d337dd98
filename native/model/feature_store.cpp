#include "model/feature_store.h"

#include "core/check.h"

namespace vsgrpo {

std::vector<Grid> FeatureStore::missing(const Batch& batch) const {
  std::vector<Grid> grids;
  for (size_t m = 0; m < batch.grids.size(); ++m) {
    if (!has(batch, m)) grids.push_back(batch.grids[m]);
  }
  return grids;
}

at::Tensor FeatureStore::complete(const Batch& batch, const at::Tensor& computed, int64_t unit) {
  if (batch.slots.empty()) return computed;
  std::vector<at::Tensor> parts;
  std::unordered_map<int64_t, at::Tensor> filled;
  int64_t row = 0;
  for (size_t m = 0; m < batch.grids.size(); ++m) {
    const int64_t tokens = patches_of(batch.grids[m]) / unit;
    if (has(batch, m)) {
      parts.push_back(kept_.at(batch.slots[m]));
      VS_CHECK(parts.back().size(0) == tokens, "BAD_SHAPE", "[batch] slots: slot ", batch.slots[m], " holds ", parts.back().size(0), " tokens, media item ", m, " has ",
               tokens);
      continue;
    }
    parts.push_back(computed.narrow(0, row, tokens));
    row += tokens;
    // A copy: a view would hold what was computed with it.
    filled[batch.slots[m]] = parts.back().clone();
  }
  kept_.merge(filled);
  return at::cat(parts);
}

void FeatureStore::drop(const std::vector<int64_t>& slots) {
  for (const int64_t slot : slots) kept_.erase(slot);
}

int64_t FeatureStore::bytes() const {
  int64_t bytes = 0;
  for (const auto& [slot, features] : kept_) bytes += static_cast<int64_t>(features.nbytes());
  return bytes;
}

}  // namespace vsgrpo
