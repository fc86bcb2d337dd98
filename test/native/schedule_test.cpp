// The bookkeeping of a GPU's decoding batch.
#include <algorithm>

#include "check.h"
#include "generate/schedule.h"

namespace {

using vsgrpo::Schedule;

std::vector<int64_t> sequences(const Schedule& s) {
  std::vector<int64_t> found;
  for (const auto& row : s.rows()) found.push_back(row.sequence);
  return found;
}

std::vector<int64_t> from(const Schedule& s) {
  std::vector<int64_t> found;
  for (const auto& row : s.rows()) found.push_back(row.from);
  return found;
}

using List = std::vector<int64_t>;

}  // namespace

TEST_CASE("a batch has one of few sizes") {
  for (const auto& [count, bucket] : {std::pair{0, 0}, {1, 8}, {8, 8}, {9, 16}, {97, 128}, {129, 160}, {256, 256}, {257, 384}}) {
    CHECK_EQ(vsgrpo::decoding_bucket(count), bucket);
  }
}

TEST_CASE("sequences that wait take the slots of those that have ended") {
  Schedule s(5, 10, 3);
  CHECK(s.refit());
  CHECK((sequences(s) == List{0, 1, 2}));
  CHECK((from(s) == List{-1, -1, -1}));
  CHECK_FALSE(s.refit());
  s.ran(4);
  s.stop(1);
  s.stop(3);  // ended with its first token: never gets a row
  CHECK(s.refit());
  CHECK((sequences(s) == List{0, 2, 4}));
  CHECK((from(s) == List{0, 2, -1}));
  CHECK_EQ(s.rows()[2].slot, 1);
  CHECK_EQ(s.steps(8), 8);
  CHECK_EQ(s.steps(100), 10);
  s.ran(6);
  CHECK_EQ(s.steps(100), 4);  // 0 and 2 are through, 4 is not
  s.ran(4);
  CHECK_EQ(s.steps(100), 0);
  CHECK_FALSE(s.refit());
}

TEST_CASE("a batch moves to a smaller bucket when at most three quarters of its rows are left, and no other way") {
  Schedule s(32, 100, 256);
  CHECK(s.refit());
  CHECK_EQ(s.bucket(), 32);
  for (int64_t i = 0; i < 15; ++i) s.stop(i);
  CHECK_FALSE(s.refit());  // 17 rows fit no smaller bucket
  s.stop(31);
  CHECK(s.refit());
  CHECK_EQ(s.bucket(), 16);
  CHECK_EQ(s.rows().size(), 16u);
  CHECK_EQ(s.rows()[0].sequence, 15);
  CHECK_EQ(s.rows()[0].from, 15);
  CHECK_EQ(s.rows()[0].slot, 15);
  Schedule full(128, 100, 256);
  full.refit();
  for (int64_t i = 0; i < 31; ++i) full.stop(i);
  CHECK_FALSE(full.refit());  // 97
  full.stop(31);
  CHECK(full.refit());
  CHECK_EQ(full.bucket(), 96);
}

TEST_CASE("every sequence gets its steps, however many rows there are and whenever others stop") {
  for (const int64_t most : {1, 3, 8, 100}) {
    constexpr int64_t kSequences = 23, kSteps = 7;
    Schedule s(kSequences, kSteps, most);
    std::vector<int64_t> ran(kSequences);
    for (int rounds = 0;; ++rounds) {
      s.refit();
      const int64_t steps = s.steps(3);
      if (steps == 0) break;
      REQUIRE(rounds < 200);
      std::vector<bool> slots(kSequences);
      for (const auto& row : s.rows()) {
        ran[static_cast<size_t>(row.sequence)] += steps;
        CHECK(row.slot >= 0 && row.slot < most && !slots[static_cast<size_t>(row.slot)]);
        slots[static_cast<size_t>(row.slot)] = true;
      }
      CHECK_LE(static_cast<int64_t>(s.rows().size()), std::min(most, s.bucket()));
      CHECK(std::is_sorted(s.rows().begin(), s.rows().end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; }));
      s.ran(steps);
      if (ran[5] > 0) s.stop(5);
    }
    for (int64_t i = 0; i < kSequences; ++i) CHECK_GE(ran[static_cast<size_t>(i)], i == 5 ? 1 : kSteps);
  }
}
