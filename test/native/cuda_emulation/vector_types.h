// CUDA's vector types and the coordinates of the running thread.
#pragma once

struct alignas(8) uint2 {
  unsigned x, y;
};
struct uint3 {
  unsigned x, y, z;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

// Not zero while nothing runs, so that they do not lie among the __shared__ variables, which are.
inline uint3 threadIdx{~0u, ~0u, ~0u}, blockIdx{~0u, ~0u, ~0u};
inline dim3 blockDim, gridDim;
