// Features of media that a frozen vision tower has computed, kept in slots for later passes.
#pragma once
#include <unordered_map>

#include "model/batch.h"

namespace vsgrpo {

class FeatureStore {
 public:
  // Of a batch's media, the grids of those that are in no slot: the batch brings their patches.
  std::vector<Grid> missing(const Batch& batch) const;

  // Features of all media in the batch's order, [tokens, H], from those of the missing ones, whose slots are filled.
  // `unit`: patches that make a token.
  at::Tensor complete(const Batch& batch, const at::Tensor& computed, int64_t unit);

  void drop(const std::vector<int64_t>& slots);
  void clear() { kept_.clear(); }
  int64_t bytes() const;

 private:
  bool has(const Batch& batch, size_t item) const { return !batch.slots.empty() && kept_.contains(batch.slots[item]); }

  std::unordered_map<int64_t, at::Tensor> kept_;  // on the model's device
};

}  // namespace vsgrpo
