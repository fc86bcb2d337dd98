// The search for the nearest value of a DynamicMap, by its table: one definition for the CPU's optimizer and the CUDA kernel.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace vsgrpo {

// Bits of 2^-23, below which all is as near to 0, and of 1: what a map's table of cells spans.
constexpr uint32_t kLowestCoded = 104u << 23, kHighestCoded = 127u << 23;
constexpr uint32_t kMapCells = ((kHighestCoded - kLowestCoded) >> 16) + 1;

// `bits`: of a float that is at most 1 off 0. The code of the value nearest to it; of two as near the lower.
template <bool kSigned>
VSGRPO_HD inline uint8_t nearest_code(uint32_t bits, const uint32_t* cells) {
  const uint32_t sign = bits >> 31;
  // Below 0 the lower of two is the one further from 0: what lies on a border counts as beyond it.
  const uint32_t size = (bits & 0x7fffffffu) + sign;
  const uint32_t magnitude = size < kLowestCoded ? kLowestCoded : size > kHighestCoded ? kHighestCoded : size;
  const uint32_t place = (cells[(magnitude - kLowestCoded) >> 16] + (magnitude & 0xffffu)) >> 16;
  if constexpr (!kSigned) return static_cast<uint8_t>(place);
  return static_cast<uint8_t>(sign ? 127u - (place < 127u ? place : 127u) : 127u + place);
}

}  // namespace vsgrpo
