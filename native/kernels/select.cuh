// The threshold of a row's best elements, found by one block without sorting: which key is the largest with at least a given
// weight at or above it. Keys are taken digit by digit, from the top; the weights of each digit are summed in shared memory
// as integers, whose sums are the same in any order. In two halves: shared memory adds 32 bits at once, 64 only by trying again.
#pragma once
#include "kernels/device.cuh"

namespace vsgrpo::kernels {

using Weight = unsigned long long;

// float32 in the order of its values.
__device__ inline unsigned key_of(float value) {
  const unsigned bits = __float_as_uint(value);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ inline float value_of_key(unsigned key) { return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key); }

struct Weighted {
  unsigned key;
  Weight weight;
};

// The threshold; what is still missing of the target above it; the weight of all elements with exactly this key.
struct Selected {
  unsigned key;
  Weight missing, at_key;
};

template <int kThreads>
class Selection {
 public:
  static constexpr int kDigitBits = 11, kDigits = 1 << kDigitBits, kPasses = 3;
  struct Shared {
    unsigned low[kDigits], high[kDigits];  // of each digit's weight
    Weight sums[kThreads / kWarp];
    unsigned digit;
    Weight above;

    __device__ Weight weight(int digit) const { return static_cast<Weight>(high[digit]) << 32 | low[digit]; }
    __device__ void add(unsigned digit, Weight weight) {
      const unsigned part = static_cast<unsigned>(weight), before = atomicAdd(&low[digit], part);
      const unsigned rest = static_cast<unsigned>(weight >> 32) + (before > 0xffffffffu - part);
      if (rest != 0) atomicAdd(&high[digit], rest);
    }
  };

  // for_each(visit) calls visit(Weighted) for the thread's own elements, the same ones each time. Some element must have a
  // weight; where all of them together do not reach the target, the smallest key that has one is taken.
  template <typename ForEach>
  __device__ static Selected run(const ForEach& for_each, Weight target, Shared& shared) {
    unsigned prefix = 0, decided = 0;
    Weight at_key = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
      const int shift = pass == 0 ? 21 : pass == 1 ? 10 : 0, digits = pass == 2 ? 1 << 10 : kDigits;
      for (int i = static_cast<int>(threadIdx.x); i < kDigits; i += kThreads) shared.low[i] = shared.high[i] = 0;
      __syncthreads();
      for_each([&](Weighted e) {
        if ((e.key & decided) == prefix && e.weight != 0) shared.add(e.key >> shift & (digits - 1), e.weight);
      });
      __syncthreads();
      find_digit(target, shared);
      prefix |= shared.digit << shift;
      decided |= static_cast<unsigned>(digits - 1) << shift;
      target -= shared.above;
      at_key = shared.weight(static_cast<int>(shared.digit));
      __syncthreads();  // before the next pass clears the bins
    }
    return {prefix, target, at_key};
  }

 private:
  // The largest digit with at least `target` at or above it. Thread t looks after the t-th highest digits.
  __device__ static void find_digit(Weight target, Shared& shared) {
    constexpr int kOwn = kDigits / kThreads;
    const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const int highest = kDigits - 1 - static_cast<int>(threadIdx.x) * kOwn;
    Weight own = 0;
    for (int i = 0; i < kOwn; ++i) own += shared.weight(highest - i);
    Weight upto = own;  // and of the lanes before
    for (unsigned by = 1; by < kWarp; by *= 2) {
      const Weight before = __shfl_up_sync(kAllLanes, upto, by);
      if (lane >= by) upto += before;
    }
    if (lane == kWarp - 1) shared.sums[warp] = upto;
    __syncthreads();
    Weight above = upto - own, total = 0;
    for (unsigned w = 0; w < kThreads / kWarp; ++w) {
      if (w < warp) above += shared.sums[w];
      total += shared.sums[w];
    }
    if (target > total) target = total;
    if (above < target && target <= above + own) {
      int digit = highest;
      while (above + shared.weight(digit) < target) above += shared.weight(digit--);
      shared.digit = static_cast<unsigned>(digit);
      shared.above = above;
    }
    __syncthreads();
  }
};

}  // namespace vsgrpo::kernels
