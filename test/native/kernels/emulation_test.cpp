// The emulation itself: what it must find in a kernel, so that a kernel it finds nothing in has been tried.
#include "cuda_emulation/cuda_runtime.h"

#include <vector>

#include "check.h"

namespace {

using emulation::Order;

template <typename... Formal, typename... Actual>
void launch(void (*kernel)(Formal...), unsigned blocks, unsigned threads, Actual... actual) {
  cudaLaunchConfig_t config;
  config.gridDim = dim3(blocks), config.blockDim = dim3(threads);
  cudaLaunchKernelEx(&config, kernel, actual...);
}

// Every thread hands its number to its right neighbour; `waits`: with the barrier that this takes.
__global__ void neighbours(int* out, bool waits) {
  __shared__ int numbers[64];
  numbers[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (waits) __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = numbers[(threadIdx.x + 1) % 64];
}

std::vector<int> neighbours_in(Order order, bool waits) {
  std::vector<int> out(128);
  emulation::set_order(order);
  launch(neighbours, 2, 64, out.data(), waits);
  emulation::set_order(Order::forward);
  return out;
}

__global__ void some_never_arrive() {
  if (threadIdx.x >= 40) return;
  __syncthreads();
}

__global__ void half_a_warp_shuffles(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1);
}

__global__ void reads_shared_unwritten(float* out) {
  __shared__ float value;
  if (threadIdx.x != 0) return;
  out[0] = value;
  value = 1;
}

__global__ void warp_calls(unsigned* out) {
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  unsigned* at = out + 4 * threadIdx.x;
  at[0] = __shfl_xor_sync(0xffffffffu, 100 * warp + lane, 5);
  at[1] = __shfl_up_sync(0xffffffffu, 100 * warp + lane, 4);
  at[2] = __shfl_sync(0xffffffffu, 100 * warp + lane, 7);
  at[3] = __ballot_sync(0xffffffffu, lane % 3 == 0);
}

}  // namespace

TEST_CASE("the emulation shows a missing barrier as a result that depends on the order") {
  for (const auto order : {Order::forward, Order::reverse, Order::shuffled}) {
    const std::vector<int> out = neighbours_in(order, true);
    for (int i = 0; i < 128; ++i) CHECK_EQ(out[static_cast<size_t>(i)], (i + 1) % 64);
  }
  CHECK(neighbours_in(Order::forward, false) != neighbours_in(Order::reverse, false));
}

TEST_CASE("the emulation refuses barriers and warp calls that some threads never reach, and goes on after it") {
  int out[16];
  CHECK_THROWS_WITH(launch(some_never_arrive, 1, 64), "__syncthreads, but not 40, 41");
  CHECK_THROWS_WITH(launch(half_a_warp_shuffles, 1, 32, out), "a call of the whole warp, but not 16, 17");
  CHECK_EQ(neighbours_in(Order::forward, true)[5], 6);
  CHECK_THROWS_WITH(launch(some_never_arrive, 1, 48), "48 threads");
}

TEST_CASE("shared memory holds NaN at the start of every block of the emulation") {
  for (int i = 0; i < 2; ++i) {
    float out = 0;
    launch(reads_shared_unwritten, 1, 32, &out);
    CHECK(std::isnan(out));
  }
}

TEST_CASE("the emulation's warp calls move values between lanes as CUDA's do") {
  std::vector<unsigned> out(4 * 64);
  launch(warp_calls, 1, 64, out.data());
  for (unsigned i = 0; i < 64; ++i) {
    const unsigned lane = i % 32, base = 100 * (i / 32);
    CHECK_EQ(out[4 * i], base + (lane ^ 5));
    CHECK_EQ(out[4 * i + 1], base + (lane < 4 ? lane : lane - 4));
    CHECK_EQ(out[4 * i + 2], base + 7);
    CHECK_EQ(out[4 * i + 3], 0x49249249u);
  }
}
