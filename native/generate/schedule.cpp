#include "generate/schedule.h"

#include <algorithm>
#include <iterator>

#include "core/rounding.h"

namespace vsgrpo {
namespace {

constexpr int64_t kBuckets[] = {8, 16, 32, 64, 96, 128, 160, 192, 256};
constexpr int64_t kStep = 128;  // beyond the largest of them

}  // namespace

int64_t decoding_bucket(int64_t count) {
  if (count == 0) return 0;
  const auto fitting = std::lower_bound(std::begin(kBuckets), std::end(kBuckets), count);
  return fitting != std::end(kBuckets) ? *fitting : rounded_up(count, kStep);
}

Schedule::Schedule(int64_t sequences, int64_t steps, int64_t most_rows)
    : left_(static_cast<size_t>(sequences), steps), slots_(std::min(sequences, most_rows)) {}

std::vector<DecodingRow> Schedule::live_rows() const {
  std::vector<DecodingRow> live;
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (!has_ended(rows_[i].sequence)) live.push_back({rows_[i].sequence, rows_[i].slot, static_cast<int64_t>(i)});
  }
  return live;
}

void Schedule::let_in(std::vector<DecodingRow>& rows) {
  std::vector<bool> taken(static_cast<size_t>(slots_));
  for (const DecodingRow& row : rows) taken[static_cast<size_t>(row.slot)] = true;
  for (int32_t slot = 0; slot < slots_ && next_ < static_cast<int64_t>(left_.size()); ++slot) {
    if (taken[static_cast<size_t>(slot)]) continue;
    rows.push_back({next_, slot, -1});
    do ++next_;
    while (next_ < static_cast<int64_t>(left_.size()) && has_ended(next_));
  }
}

bool Schedule::refit() {
  while (next_ < static_cast<int64_t>(left_.size()) && has_ended(next_)) ++next_;
  std::vector<DecodingRow> rows = live_rows();
  const auto live = static_cast<int64_t>(rows.size());
  const bool refills = live < slots_ && next_ < static_cast<int64_t>(left_.size());
  // Moving costs little beside a step, but a bucket left too early would be recorded for a handful of steps.
  const bool shrinks = live > 0 && 4 * live <= 3 * bucket_ && decoding_bucket(live) < bucket_;
  if (!refills && !shrinks) return false;
  let_in(rows);
  rows_ = std::move(rows);
  bucket_ = decoding_bucket(static_cast<int64_t>(rows_.size()));
  return true;
}

int64_t Schedule::steps(int64_t most) const {
  int64_t longest = 0;
  for (const DecodingRow& row : rows_) longest = std::max(longest, left_[static_cast<size_t>(row.sequence)]);
  return std::min(longest, most);
}

void Schedule::ran(int64_t steps) {
  for (const DecodingRow& row : rows_) left_[static_cast<size_t>(row.sequence)] -= steps;
}

void Schedule::stop(int64_t sequence) { left_[static_cast<size_t>(sequence)] = 0; }

}  // namespace vsgrpo
