#include "ops/attention_plan.h"

#include <algorithm>
#include <map>

#include "core/gpu.h"

namespace vsgrpo {
namespace {

// Ranges of rows in the order of a call.
struct Ranges {
  std::vector<int64_t> rows, offsets = {0};
  int64_t longest = 2;  // an upper bound; where all queries are single ones, flash attention would regroup their heads

  void extend(int64_t begin, int64_t length) {
    for (int64_t i = 0; i < length; ++i) rows.push_back(begin + i);
  }
  void close() {
    const auto end = static_cast<int64_t>(rows.size());
    longest = std::max(longest, end - offsets.back());
    offsets.push_back(end);
  }

  RowPick pick(const at::Device& device) const {
    const auto count = static_cast<int64_t>(rows.size());
    const bool follow = count == 0 || rows.back() - rows.front() == count - 1;
    // Ascending and no row twice: equal ends mean a range.
    if (follow && std::is_sorted(rows.begin(), rows.end())) return {count > 0 ? rows.front() : 0, count, {}};
    return {0, count, upload(at::tensor(rows, at::kLong), device)};
  }
  at::Tensor offsets_on(const at::Device& device) const { return upload(at::tensor(offsets, at::kLong).to(at::kInt), device); }
};

AttentionCall make_call(const Ranges& q, const Ranges& k, bool causal, const at::Device& device) {
  return {causal, q.pick(device), k.pick(device), q.offsets, k.offsets, q.offsets_on(device), k.offsets_on(device), q.longest, k.longest};
}

// Segments with queries.
std::vector<int64_t> asking(const Forest& forest, int64_t first_row) {
  std::vector<int64_t> segments;
  for (int64_t s = 0; s < forest.segments(); ++s) {
    if (forest.begin(s) >= first_row && forest.length(s) > 0) segments.push_back(s);
  }
  return segments;
}

// For every level of the forest: an ancestor there, and the asking segments below it.
using Families = std::map<int64_t, std::vector<int64_t>>;

std::vector<Families> families(const Forest& forest, const std::vector<int64_t>& segments) {
  std::vector<Families> levels;
  for (const int64_t s : segments) {
    std::vector<int64_t> chain = forest.chain(s);
    chain.pop_back();
    if (levels.size() < chain.size()) levels.resize(chain.size());
    for (size_t level = 0; level < chain.size(); ++level) {
      if (forest.length(chain[level]) > 0) levels[level][chain[level]].push_back(s);
    }
  }
  return levels;
}

}  // namespace

at::Tensor RowPick::of(const at::Tensor& rows, int64_t dim) const {
  return index.defined() ? rows.index_select(dim, index) : rows.narrow(dim, first, count);
}

void RowPick::add_to(const at::Tensor& rows, const at::Tensor& values) const {
  if (index.defined()) rows.index_add_(0, index, values.to(rows.scalar_type()));
  else rows.narrow(0, first, count).add_(values);
}

at::Tensor RowPick::spread(const at::Tensor& values, int64_t total) const {
  if (!index.defined() && count == total) return values;
  std::vector<int64_t> sizes = values.sizes().vec();
  sizes[0] = total;
  const at::Tensor rows = at::zeros(sizes, values.options());
  put_into(rows, values);
  return rows;
}

void RowPick::put_into(const at::Tensor& rows, const at::Tensor& values, int64_t dim) const {
  if (index.defined()) rows.index_copy_(dim, index, values);
  else rows.narrow(dim, first, count).copy_(values);
}

std::shared_ptr<const AttentionPlan> plan_attention(const Forest& forest, int64_t first_row, bool causal, const at::Device& device) {
  auto plan = std::make_shared<AttentionPlan>();
  plan->forest = forest;
  plan->causal = causal;
  if (device.is_cpu() && !has_gpu()) return plan;
  const std::vector<int64_t> segments = asking(forest, first_row);
  Ranges own_q, own_k;
  for (const int64_t s : segments) {
    own_q.extend(forest.begin(s) - first_row, forest.length(s));
    own_q.close();
    own_k.extend(forest.begin(s), forest.length(s));
    own_k.close();
  }
  plan->calls.push_back(make_call(own_q, own_k, causal, device));
  for (const Families& level : families(forest, segments)) {
    Ranges q, k;
    for (const auto& [ancestor, below] : level) {
      for (const int64_t s : below) q.extend(forest.begin(s) - first_row, forest.length(s));
      q.close();
      k.extend(forest.begin(ancestor), forest.length(ancestor));
      k.close();
    }
    if (!q.rows.empty()) plan->calls.push_back(make_call(q, k, false, device));
  }
  return plan;
}

}  // namespace vsgrpo
