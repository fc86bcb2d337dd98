// Mutated bytes with a fixed seed: flips, cuts, copies, and pieces of a dictionary, a few of them at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // In [0, bound), by remainder: the same on every standard library.
  size_t below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(engine_() % bound); }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<size_t>(high - low + 1))); }
  bool one_in(size_t n) { return below(n) == 0; }
  template <typename T>
  const T& pick(const std::vector<T>& values) {
    return values[below(values.size())];
  }

 private:
  std::mt19937_64 engine_;
};

inline void mutate_once(std::string& text, const std::vector<std::string>& dictionary, Random& random) {
  const size_t at = random.below(text.size() + 1), length = random.below(std::min<size_t>(text.size() - at, 24) + 1);
  switch (random.below(6)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
      break;
    case 1:
      if (at < text.size()) text[at] = static_cast<char>(random.below(256));
      break;
    case 2: text.erase(at, length); break;
    case 3: text.insert(at, text.substr(random.below(text.size() + 1), length)); break;
    case 4: text.insert(at, random.pick(dictionary)); break;
    default: text.replace(at, length, random.pick(dictionary)); break;
  }
}

// One to four mutations; now and then the end is cut off.
inline std::string mutate(std::string text, const std::vector<std::string>& dictionary, Random& random) {
  for (size_t n = random.below(4) + 1; n > 0; --n) mutate_once(text, dictionary, random);
  if (random.one_in(16)) text.resize(random.below(text.size() + 1));
  return text;
}

}  // namespace fuzz
