// Stands in for CUDA's header of this name where a kernel is compiled by g++ for the tests: the qualifiers, built-in
// functions and the launch that the kernels use, no more. Found first on the include path of the emulated build only.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "block.h"
#include "races.h"

#define __global__
// Inlined, so that a struct that a function returns is written where races.cpp is told of it.
#define __device__ __attribute__((always_inline))
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0 };
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

template <typename... Formal, typename... Actual>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Formal...), Actual&&... actual) {
  if (config->dynamicSmemBytes != 0) throw std::logic_error("the emulation has no dynamic shared memory");
  emulation::run_grid(config->gridDim, config->blockDim, [&] { kernel(actual...); });
  return cudaSuccess;
}

inline void __syncthreads() { emulation::block_barrier(); }

namespace emulation {

inline void whole_warp(unsigned mask) {
  if (mask != 0xffffffffu) throw std::logic_error("the emulation runs warp calls with all lanes only");
}

template <typename T>
T value_of(unsigned lane) {
  T value;
  std::memcpy(&value, slot(lane), sizeof(T));
  return value;
}

template <typename T>
T exchanged(unsigned mask, T value, unsigned from) {
  whole_warp(mask);
  put(&value, sizeof(T));
  return value_of<T>(from < 32 ? from : lane());
}

}  // namespace emulation

inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emulation::whole_warp(mask);
  emulation::warp_barrier();
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int from) {
  return emulation::exchanged(mask, value, static_cast<unsigned>(from) % 32);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  return emulation::exchanged(mask, value, emulation::lane() ^ static_cast<unsigned>(bits));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned by) {
  return emulation::exchanged(mask, value, emulation::lane() - by);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  emulation::exchanged(mask, predicate, 0);
  unsigned bits = 0;
  for (unsigned i = 0; i < 32; ++i) bits |= static_cast<unsigned>(emulation::value_of<int>(i) != 0) << i;
  return bits;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }

template <typename T>
__attribute__((no_sanitize_thread)) T atomicAdd(T* target, T value) {
  emulation::watch_atomic(target, sizeof(T));
  const T old = *target;
  *target += value;
  return old;
}

inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned long long __float2ull_rn(float value) { return static_cast<unsigned long long>(std::nearbyint(value)); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits)); }
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  unsigned out = 0;
  for (int i = 0; i < 4; ++i) out |= static_cast<unsigned>(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return out;
}
using std::isfinite, std::isnan;
inline float cospif(float x) { return static_cast<float>(std::cos(M_PI * static_cast<double>(x))); }
inline float sinpif(float x) { return static_cast<float>(std::sin(M_PI * static_cast<double>(x))); }
