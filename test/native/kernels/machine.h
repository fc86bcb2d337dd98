// Where the tests of the kernels run them: on the CPU under the emulation of CUDA, or, with VSGRPO_ON_GPU, on a GPU in
// memory that both sides see. Either way `Memory` starts at a multiple of 16 bytes and holds NaN at first.
#pragma once
#include <cstring>
#include <new>

#include "check.h"

#ifdef VSGRPO_ON_GPU
#include <cuda_runtime_api.h>
#else
#include <sys/mman.h>

#include "cuda_emulation/order.h"
#endif

namespace kernel_test {

#ifdef VSGRPO_ON_GPU

// Asked once, before any kernel could have failed: an error that stays is no missing GPU.
inline bool has_device() {
  static const bool known = [] {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  }();
  return known;
}

class Memory {
 public:
  explicit Memory(size_t bytes) {
    if (!has_device()) SKIP("no GPU");
    const cudaError_t error = cudaHostAlloc(&data_, bytes + 1, cudaHostAllocMapped);
    if (error != cudaSuccess) FAIL("no memory that both sides see: " << cudaGetErrorString(error));
    std::memset(data_, 0xff, bytes);
  }
  ~Memory() { cudaFreeHost(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

inline void finish() {
  const cudaError_t error = cudaDeviceSynchronize();
  if (error != cudaSuccess) FAIL("the kernel failed: " << cudaGetErrorString(error));
}

// A GPU orders its threads as it likes: the same work again is what can be asked for.
constexpr int kOrders = 3;
inline void set_order(int) {}

#else

// Ends at a page that nothing may touch.
class Memory {
 public:
  explicit Memory(size_t bytes) : used_((bytes + kPage + 15) / kPage * kPage) {
    base_ = static_cast<char*>(mmap(nullptr, used_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + used_, kPage, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = base_ + used_ - (bytes + 15) / 16 * 16;
    std::memset(base_, 0xff, used_);
  }
  ~Memory() { munmap(base_, used_ + kPage); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* data() const { return data_; }

 private:
  static constexpr size_t kPage = 4096;
  size_t used_;
  char *base_, *data_;
};

inline void finish() {}

constexpr int kOrders = 3;
inline void set_order(int order) {
  using emulation::Order;
  emulation::set_order(order == 0 ? Order::forward : order == 1 ? Order::reverse : Order::shuffled);
}

#endif

}  // namespace kernel_test
