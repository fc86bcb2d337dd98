// Marks functions that the CPU engine and the CUDA kernels share: formulas that must have one definition.
#pragma once

#ifdef __CUDACC__
#define VSGRPO_HD __host__ __device__
#else
#define VSGRPO_HD
#endif
