#include "model/prompt_pass.h"

#include <algorithm>

namespace vsgrpo {
namespace {

template <typename T>
bool begins_with(const std::vector<T>& all, const std::vector<T>& start) {
  return all.size() >= start.size() && std::equal(start.begin(), start.end(), all.begin());
}

bool same(const at::Tensor& a, const at::Tensor& b) { return a.defined() == b.defined() && (!a.defined() || a.equal(b)); }

// Slots name what is in them; media without slots are compared by their patches.
bool same_media(const Batch& a, const Batch& b) {
  if (a.grids != b.grids || a.slots != b.slots) return false;
  return !a.slots.empty() || (a.patches.equal(b.patches) && same(a.byte_values, b.byte_values));
}

std::vector<int64_t> values_of(const at::Tensor& t) { return {t.const_data_ptr<int64_t>(), t.const_data_ptr<int64_t>() + t.numel()}; }

}  // namespace

bool PromptPass::leads(const Batch& batch, const at::Tensor& target_rows) const {
  const int64_t own = prompts.ids.size(0);
  if (batch.ids.size(0) <= own) return false;
  if (!begins_with(batch.forest.offsets, prompts.forest.offsets) || !begins_with(batch.forest.parents, prompts.forest.parents)) return false;
  const std::vector<int64_t> last = values_of(rows), wanted = values_of(target_rows);
  const auto known = [&](int64_t row) { return row >= own || std::find(last.begin(), last.end(), row) != last.end(); };
  if (!std::all_of(wanted.begin(), wanted.end(), known)) return false;
  return batch.ids.narrow(0, 0, own).equal(prompts.ids) && batch.positions.narrow(1, 0, own).equal(prompts.positions) &&
         same_media(batch, prompts);
}

PromptPass::Selection PromptPass::select(const at::Tensor& target_rows) const {
  const int64_t own = prompts.ids.size(0);
  const std::vector<int64_t> last = values_of(rows);
  std::vector<int64_t> behind, places;
  for (const int64_t row : values_of(target_rows)) {
    if (row < own) {
      places.push_back(std::find(last.begin(), last.end(), row) - last.begin());
    } else {
      places.push_back(static_cast<int64_t>(last.size() + behind.size()));
      behind.push_back(row - own);
    }
  }
  return {at::tensor(behind, at::kLong), at::tensor(places, at::kLong)};
}

}  // namespace vsgrpo
