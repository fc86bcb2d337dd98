// A forest's attention as a GPU runs it: a few calls over pairs of ranges, whose results are merged. Made once for all
// layers of a pass. On the CPU the forest itself is the plan.
#pragma once
#include "core/forest.h"
#include "core/pch.h"

namespace vsgrpo {

// Some rows of a packed tensor: a range where they follow each other, else an index on the device. No row twice.
struct RowPick {
  int64_t first = 0, count = 0;
  at::Tensor index;  // int64

  at::Tensor of(const at::Tensor& rows, int64_t dim = 0) const;
  void add_to(const at::Tensor& rows, const at::Tensor& values) const;
  // `total` rows: `values` in these, the others zero. The values themselves where they are all.
  at::Tensor spread(const at::Tensor& values, int64_t total) const;
  void put_into(const at::Tensor& rows, const at::Tensor& values, int64_t dim = 0) const;
};

// One call: the queries of range i see the keys of range i.
struct AttentionCall {
  bool causal = false;
  RowPick q_rows, k_rows;
  std::vector<int64_t> q_offsets, k_offsets;  // [ranges + 1] into the picked rows
  at::Tensor q_offsets_on_device, k_offsets_on_device;  // int32
  int64_t longest_q = 0, longest_k = 0;  // upper bounds of a range's length

  int64_t ranges() const { return static_cast<int64_t>(q_offsets.size()) - 1; }
};

struct AttentionPlan {
  Forest forest;
  bool causal = true;
  // For a GPU. The first call is each segment with itself, over all of the forest's queries; then come the ancestors, one
  // call for every level of the forest.
  std::vector<AttentionCall> calls;
};

// The queries are those from row `first_row` on, which begins a segment.
std::shared_ptr<const AttentionPlan> plan_attention(const Forest& forest, int64_t first_row, bool causal, const at::Device& device);

}  // namespace vsgrpo
