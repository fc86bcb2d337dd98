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
  numbers[threadIdx.x] = 0;
  __syncthreads();
  numbers[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (waits) __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = numbers[(threadIdx.x + 1) % 64];
}

// In each block the first thread takes what the next block leaves.
__global__ void blocks_in_turn(int* out) {
  if (threadIdx.x != 0) return;
  out[blockIdx.x] = out[(blockIdx.x + 1) % gridDim.x];
}

// Each lane takes what its neighbour wrote: `how` 0 after nothing, 1 after a shuffle, 2 after __syncwarp.
__global__ void lanes(int* out, int how) {
  __shared__ int numbers[32];
  numbers[threadIdx.x] = 0;
  __syncthreads();
  numbers[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (how == 1) __shfl_xor_sync(0xffffffffu, 1, 1);
  if (how == 2) __syncwarp();
  out[threadIdx.x] = numbers[(threadIdx.x + 1) % 32];
}

__global__ void counts(int* out, bool atomic) {
  if (atomic) atomicAdd(out, 1);
  else *out += 1;
}

template <typename Word>
__global__ void copies(const char* from, Word* to) {
  to[threadIdx.x] = *reinterpret_cast<const Word*>(from);
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

TEST_CASE("the emulation finds accesses that no barrier keeps apart, in every order of the threads") {
  for (const auto order : {Order::forward, Order::reverse, Order::shuffled}) {
    const std::vector<int> out = neighbours_in(order, true);
    for (int i = 0; i < 128; ++i) CHECK_EQ(out[static_cast<size_t>(i)], (i + 1) % 64);
    CHECK_THROWS_WITH(neighbours_in(order, false), "no barrier is between, at emulation_test.cpp:");
  }
  std::vector<int> out(64);
  CHECK_THROWS_WITH(launch(blocks_in_turn, 2, 32, out.data()), "blocks do not wait for each other");
  CHECK_THROWS_WITH(launch(lanes, 1, 32, out.data(), 0), "no barrier is between");
  CHECK_THROWS_WITH(launch(lanes, 1, 32, out.data(), 1), "no barrier is between");
  launch(lanes, 1, 32, out.data(), 2);
}

TEST_CASE("the emulation tells atomic sums from others, and aligned vectors from others") {
  int sum = 0;
  launch(counts, 2, 64, &sum, true);
  CHECK_EQ(sum, 128);
  CHECK_THROWS_WITH(launch(counts, 1, 64, &sum, false), "wrote at emulation_test.cpp:");
  alignas(16) const char bytes[32] = {};
  std::vector<uint4> to(32);
  launch(copies<uint4>, 1, 32, &bytes[0], to.data());
  CHECK_THROWS_WITH(launch(copies<uint4>, 1, 32, &bytes[8], to.data()), "at no multiple of its 16 bytes");
}

TEST_CASE("the emulation refuses barriers and warp calls that some threads never reach, and goes on after it") {
  int out[16];
  CHECK_THROWS_WITH(launch(some_never_arrive, 1, 64), "__syncthreads, but not 40, 41");
  CHECK_THROWS_WITH(launch(half_a_warp_shuffles, 1, 32, out), "a call of the whole warp, but not 16, 17");
  CHECK_EQ(neighbours_in(Order::forward, true)[5], 6);
  CHECK_THROWS_WITH(launch(some_never_arrive, 1, 48), "48 threads");
}

TEST_CASE("shared memory has no value at the start of every block of the emulation") {
  float out = 0;
  CHECK_THROWS_WITH(launch(reads_shared_unwritten, 1, 32, &out), "reads shared memory that its block has not written");
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
