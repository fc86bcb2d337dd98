#include "generate/decode_plan.h"

#include <algorithm>

#include "core/check.h"
#include "core/rounding.h"

namespace vsgrpo {
namespace {

constexpr int64_t kQueries = 64;  // query rows of one item

int64_t pieces_of(int64_t keys) { return divided_up(keys, VSGRPO_DECODE_KEYS); }

// Rows [first, first + count) read the whole segment, as their pieces `part`, `part` + 1, …
void add_segment(DecodePlan& plan, const Forest& prompts, int64_t segment, int64_t part, int64_t first, int64_t count) {
  for (int64_t piece = 0; piece < pieces_of(prompts.length(segment)); ++piece) {
    const int64_t key = piece * VSGRPO_DECODE_KEYS, keys = std::min<int64_t>(VSGRPO_DECODE_KEYS, prompts.length(segment) - key);
    plan.items.push_back({static_cast<int32_t>(first), static_cast<int32_t>(count), static_cast<int32_t>(prompts.begin(segment) + key),
                          static_cast<int32_t>(keys), static_cast<int32_t>(part + piece)});
  }
}

}  // namespace

DecodePlan plan_decode(const Forest& prompts, const std::vector<int64_t>& leaves, int64_t heads_per_kv) {
  const auto rows = static_cast<int64_t>(leaves.size()), most_rows = kQueries / heads_per_kv;
  std::vector<std::vector<int64_t>> chains;
  for (const int64_t leaf : leaves) {
    VS_CHECK(leaf >= 0 && leaf < prompts.segments(), "BAD_SHAPE", "[plan_decode] leaf ", leaf, " is not one of ", prompts.segments(), " segments");
    chains.push_back(prompts.chain(leaf));
  }
  const auto at = [&](int64_t row, size_t depth) {
    const auto& chain = chains[static_cast<size_t>(row)];
    return depth < chain.size() ? chain[depth] : -1;
  };
  DecodePlan plan;
  plan.prompt_parts.assign(leaves.size(), 0);
  size_t deepest = 0;
  for (const auto& chain : chains) deepest = std::max(deepest, chain.size());
  // A segment's place in a chain decides all before it, so rows that share it also count the same pieces before it.
  for (size_t depth = 0; depth < deepest; ++depth) {
    for (int64_t first = 0, end; first < rows; first = end) {
      const int64_t segment = at(first, depth);
      for (end = first + 1; end < rows && end - first < most_rows && at(end, depth) == segment;) ++end;
      if (segment < 0) continue;
      int32_t& parts = plan.prompt_parts[static_cast<size_t>(first)];
      add_segment(plan, prompts, segment, parts, first, end - first);
      const auto after = parts + static_cast<int32_t>(pieces_of(prompts.length(segment)));
      std::fill(plan.prompt_parts.begin() + first, plan.prompt_parts.begin() + end, after);
      plan.most_parts = std::max(plan.most_parts, after);
    }
  }
  return plan;
}

}  // namespace vsgrpo
