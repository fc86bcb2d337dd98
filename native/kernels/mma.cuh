// One tensor-core product of a warp: D [16, 8] += A [16, 16] B [16, 8], A and B in bfloat16, D in fp32. With lane = 4 g + t:
// a = rows g and g + 8 at columns 2t, 2t + 1, then both at columns 2t + 8, 2t + 9; b = rows 2t, 2t + 1, then 2t + 8, 2t + 9
// at column g; d = row g at columns 2t, 2t + 1, then row g + 8. (PTX ISA, mma.m16n8k16.)
#pragma once
#include <cstdint>

#ifndef __CUDACC__
#include "mma_emulation.h"
#endif

namespace vsgrpo::kernels {

__device__ inline void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulation::mma(d, a, b);
#endif
}

}  // namespace vsgrpo::kernels
