#include "core/forest.h"

#include <algorithm>

#include "core/check.h"

namespace vsgrpo {

void Forest::validate(int64_t rows) const {
  VS_CHECK(offsets.size() == parents.size() + 1, "BAD_SHAPE", "[batch] expected ", parents.size() + 1, " offsets for ", parents.size(),
           " segments, got ", offsets.size());
  VS_CHECK(offsets.front() == 0 && offsets.back() == rows, "BAD_SHAPE", "[batch] offsets must run from 0 to ", rows, ", got ",
           offsets.front(), " to ", offsets.back());
  for (int64_t s = 0; s < segments(); ++s) {
    VS_CHECK(length(s) >= 0, "BAD_SHAPE", "[batch] offsets must not descend, segment ", s);
    VS_CHECK(parent(s) >= -1 && parent(s) < s, "BAD_SHAPE", "[batch] the parent of segment ", s, " must be -1 or an earlier segment, got ",
             parent(s));
  }
}

std::vector<int64_t> Forest::chain(int64_t s) const {
  std::vector<int64_t> path;
  for (; s >= 0; s = parent(s)) path.push_back(s);
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<std::vector<int64_t>> Forest::trees() const {
  std::vector<std::vector<int64_t>> trees;
  std::vector<size_t> tree_of;
  for (int64_t s = 0; s < segments(); ++s) {
    if (parent(s) < 0) trees.emplace_back();
    tree_of.push_back(parent(s) < 0 ? trees.size() - 1 : tree_of[static_cast<size_t>(parent(s))]);
    trees[tree_of.back()].push_back(s);
  }
  return trees;
}

Forest Forest::roots(const std::vector<int64_t>& lengths) {
  Forest forest{{0}, std::vector<int64_t>(lengths.size(), -1)};
  for (const int64_t length : lengths) forest.offsets.push_back(forest.offsets.back() + length);
  return forest;
}

}  // namespace vsgrpo
