// A batch as a forest of ragged segments: rows [offsets[s], offsets[s+1]) belong to segment s, parents[s] < s or -1.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsgrpo {

struct Forest {
  std::vector<int64_t> offsets;  // [S + 1]
  std::vector<int64_t> parents;  // [S]

  int64_t segments() const { return static_cast<int64_t>(parents.size()); }
  int64_t rows() const { return offsets.back(); }
  int64_t begin(int64_t s) const { return offsets[static_cast<size_t>(s)]; }
  int64_t length(int64_t s) const { return offsets[static_cast<size_t>(s) + 1] - begin(s); }
  int64_t parent(int64_t s) const { return parents[static_cast<size_t>(s)]; }

  // Throws Error("BAD_SHAPE") unless offsets ascend from 0 to `rows` and every parent comes before its child.
  void validate(int64_t rows) const;

  // From the root down to s itself.
  std::vector<int64_t> chain(int64_t s) const;

  // The segments of each tree, in order: trees share nothing, so they can be worked on in parallel.
  std::vector<std::vector<int64_t>> trees() const;

  // Segments of the given lengths without parents.
  static Forest roots(const std::vector<int64_t>& lengths);
};

}  // namespace vsgrpo
