// Which pieces of the prompts' segments the CUDA kernel decode_attention reads for which rows. Made when a batch of rows
// begins or is compacted, not in a decoding step.
#pragma once
#include <vector>

#include "core/forest.h"
#include "kernels/vsgrpo_kernels.h"

namespace vsgrpo {

struct DecodePlan {
  std::vector<vsgrpo_decode_item> items;
  std::vector<int32_t> prompt_parts;  // of each row
  int32_t most_parts = 0;
};

// `leaves`: the segment that ends each row's prompt; `heads_per_kv`: query heads that share a key head. Rows that follow
// each other read every segment they have in common once, as many rows at a time as one item holds. Throws
// Error("BAD_SHAPE") for a leaf that is no segment.
DecodePlan plan_decode(const Forest& prompts, const std::vector<int64_t>& leaves, int64_t heads_per_kv);

}  // namespace vsgrpo
