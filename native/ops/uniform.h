// The sampler's random numbers: counter-based, one stream per sequence and one number per step, so that a sequence does not
// depend on what else is in the batch. The CPU and the CUDA kernel draw the same ones.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace vsgrpo {

VSGRPO_HD inline uint64_t mixed_bits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Uniform in [0, 1) for step `step` of the stream `seed`.
VSGRPO_HD inline double uniform(uint64_t seed, uint64_t step) {
  const uint64_t bits = mixed_bits(mixed_bits(seed + 0x9E3779B97F4A7C15ull) + (step + 1) * 0x9E3779B97F4A7C15ull);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace vsgrpo
