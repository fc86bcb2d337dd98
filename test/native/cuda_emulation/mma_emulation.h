// One tensor-core product of a warp, D = A B + D with A [16, 16], B [16, 8] in bfloat16 and D [16, 8] in fp32, element by
// element as PTX places them in the lanes' registers (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type").
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace emulation {

struct Fragments {
  uint32_t a[4], b[2];
};

inline float half_of(uint32_t pair, unsigned which) { return __bfloat162float({static_cast<uint16_t>(pair >> (16 * which))}); }

inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  static_assert(sizeof(own) <= kSlotBytes);
  put(&own, sizeof(own));
  // Lane 4 g + t has rows g, g + 8 of A and column g of B at k = 2t, 2t + 1, 2t + 8, 2t + 9; and rows g, g + 8 of D at
  // columns 2t, 2t + 1.
  const unsigned g = lane() / 4, t = lane() % 4;
  for (unsigned quad = 0; quad < 4; ++quad) {
    const auto rows = value_of<Fragments>(4 * g + quad);
    for (unsigned column = 0; column < 2; ++column) {
      const auto columns = value_of<Fragments>(4 * (2 * t + column) + quad);
      for (unsigned k = 0; k < 4; ++k) {
        const float right = half_of(columns.b[k / 2], k % 2);
        d[column] += half_of(rows.a[k / 2 * 2], k % 2) * right;
        d[2 + column] += half_of(rows.a[k / 2 * 2 + 1], k % 2) * right;
      }
    }
  }
}

}  // namespace emulation
