// What the kernels share: storage types and 16-byte pieces of them, reductions in a fixed order, the launch.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <type_traits>

#include "core/rounding.h"
#include "kernels/arguments.h"

namespace vsgrpo::kernels {

using bf16 = __nv_bfloat16;
using vsgrpo::divided_up;

constexpr unsigned kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr float kLog2e = 1.44269504f;

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(bf16 value) { return __bfloat162float(value); }

template <typename T>
__device__ inline T from_float(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return __float2bfloat16_rn(value);
  }
}

template <typename T>
__device__ inline float round_to(float value) {
  return to_float(from_float<T>(value));
}

// e^x through the hardware's 2^x: relative error about 2^-22 times |x|.
__device__ inline float exp_fast(float x) { return exp2f(x * kLog2e); }
__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + exp_fast(-x)); }

// kWidth values that are read and written at once.
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Piece {
  T values[kWidth];
};

template <typename T>
constexpr int kPieceWidth = 16 / sizeof(T);

template <typename T, int kWidth>
__device__ inline Piece<T, kWidth> load(const T* from) {
  return *reinterpret_cast<const Piece<T, kWidth>*>(from);
}

template <typename T, int kWidth>
__device__ inline void store(T* to, const Piece<T, kWidth>& piece) {
  *reinterpret_cast<Piece<T, kWidth>*>(to) = piece;
}

// The value of the lane whose number differs in `bits`, word by word.
template <typename V>
__device__ inline V shuffle_xor(V value, int bits) {
  static_assert(sizeof(V) % 4 == 0);
  unsigned words[sizeof(V) / 4];
  memcpy(words, &value, sizeof(V));
  for (unsigned& word : words) word = __shfl_xor_sync(kAllLanes, word, bits);
  memcpy(&value, words, sizeof(V));
  return value;
}

struct Sum {
  template <typename V>
  __device__ V operator()(V a, V b) const {
    return a + b;
  }
};

struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Of the kLanes lanes around the caller; the order of the operands differs by lane, so take one lane's result where `merge`
// is not symmetric to the last bit.
template <int kLanes = kWarp, typename V, typename Merge>
__device__ inline V warp_reduce(V value, const Merge& merge) {
#pragma unroll
  for (int bits = kLanes / 2; bits > 0; bits /= 2) value = merge(value, shuffle_xor(value, bits));
  return value;
}

// Of the whole block, the same value for every thread. `scratch` is shared memory for one value of each warp.
template <int kThreads, typename V, typename Merge>
__device__ inline V block_reduce(V value, const Merge& merge, V* scratch) {
  constexpr int kWarps = kThreads / static_cast<int>(kWarp);
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  value = warp_reduce(value, merge);
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  if (warp == 0) {
    value = warp_reduce<kWarps>(scratch[lane % kWarps], merge);
    __syncwarp();
    if (lane == 0) scratch[0] = value;
  }
  __syncthreads();
  value = scratch[0];
  __syncthreads();  // before the next use of scratch
  return value;
}

// Runs body<float>() or body<bf16>(); the type has been checked.
template <typename Body>
int dispatch_type(int32_t type, const Body& body) {
  return type == VSGRPO_FLOAT32 ? body.template operator()<float>() : body.template operator()<bf16>();
}

template <typename... Formal, typename... Actual>
int launch(const char* op, void (*kernel)(Formal...), dim3 grid, unsigned threads, void* stream, const Actual&... actual) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.stream = static_cast<cudaStream_t>(stream);
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, actual...);
  if (error == cudaSuccess) return VSGRPO_OK;
  cudaGetLastError();  // forgotten, or the next launch of libtorch's would report it as its own
  return report(VSGRPO_CUDA_ERROR, "[%s] CUDA refused the launch: %s", op, cudaGetErrorString(error));
}

}  // namespace vsgrpo::kernels
