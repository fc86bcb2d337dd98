// CUDA graphs and copies to the host. Under the emulation everything has run when its call returns: a graph calls its step
// again, a copy is a clone.
#include "glue/cuda_gpu.h"

#include <mutex>

#ifndef VSGRPO_EMULATED_GPU
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace vsgrpo::glue {
namespace {

#ifdef VSGRPO_EMULATED_GPU

class Graph final : public GpuGraph {
 public:
  explicit Graph(std::function<void()> step) : step_(std::move(step)) {}
  void replay() override { step_(); }

 private:
  std::function<void()> step_;
};

class Copy final : public GpuCopy {
 public:
  explicit Copy(const at::Tensor& values) : host_(values.clone()) {}
  bool done() override { return true; }
  const at::Tensor& wait() override { return host_; }

 private:
  at::Tensor host_;
};

#else

namespace allocator = c10::cuda::CUDACachingAllocator;

// While it captures, the allocator does not give back what it keeps for later, however little is left: beforehand, where a
// step might not find room. Only then, because the passes that come after would have to ask the device for all of it again.
void make_room() {
  constexpr size_t kStepBytes = size_t{2} << 30;  // several times what a step of a large batch allocates
  if (allocator::get()->getMemoryInfo(c10::cuda::current_device()).first < kStepBytes) allocator::emptyCache();
}

// Where graphs keep what their steps allocate: one pool for all that live at the same time, because they never run beside
// each other. A pool's name cannot be used again after its last graph, so the name goes with it.
using Pool = std::shared_ptr<const c10::MempoolId_t>;

std::weak_ptr<const c10::MempoolId_t>& current_pool() {
  static std::weak_ptr<const c10::MempoolId_t> current;
  return current;
}

Pool shared_pool() {
  Pool pool = current_pool().lock();
  if (!pool) current_pool() = pool = std::make_shared<const c10::MempoolId_t>(at::cuda::graph_pool_handle());
  return pool;
}

// Engines of other Node threads share pool and stream; libtorch 2.11 also has a list of its graphs that it does not lock.
std::mutex& list_of_graphs() {
  static std::mutex mutex;
  return mutex;
}

class Graph final : public GpuGraph {
 public:
  explicit Graph(const std::function<void()>& step) {
    const std::lock_guard lock(list_of_graphs());
    graph_ = std::make_unique<at::cuda::CUDAGraph>();
    pool_ = shared_pool();
    // The default stream cannot be captured; always the same other one, since cuBLAS keeps a workspace for every stream.
    static const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
    const c10::cuda::CUDAStreamGuard guard(stream);
    make_room();
    // The other threads of a Node process may go on using CUDA meanwhile.
    graph_->capture_begin(*pool_, cudaStreamCaptureModeThreadLocal);
    try {
      step();
      graph_->capture_end();
    } catch (...) {
      abandon();
      remove();
      throw;
    }
  }
  ~Graph() override {
    const std::lock_guard lock(list_of_graphs());
    remove();
  }
  void replay() override { graph_->replay(); }

 private:
  // Stream and allocator leave the capture whatever has become of it; the first exception is the one that counts.
  void abandon() {
    try {
      return graph_->capture_end();
    } catch (const std::exception&) {
    }
    // Where the capture itself is invalid, libtorch 2.11 leaves its allocators recording (pytorch#180395) and, as nothing was
    // recorded, never gives up the pool.
    current_pool().reset();
    try {
      const auto device = c10::cuda::current_device();
      allocator::endAllocateToPool(device, *pool_);
      allocator::releasePool(device, *pool_);
    } catch (const std::exception&) {
    }
    try {
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(*pool_);
    } catch (const std::exception&) {
    }
  }

  // The pool's name goes before the graph gives the pool up: nobody finds it meanwhile.
  void remove() {
    pool_.reset();
    graph_.reset();
  }

  std::unique_ptr<at::cuda::CUDAGraph> graph_;
  Pool pool_;
};

class Copy final : public GpuCopy {
 public:
  explicit Copy(const at::Tensor& values) : host_(at::empty(values.sizes(), values.options().device(at::kCPU).pinned_memory(true))) {
    host_.copy_(values, /*non_blocking=*/true);
    arrived_.record();
  }
  bool done() override { return arrived_.query(); }
  const at::Tensor& wait() override {
    arrived_.synchronize();
    return host_;
  }

 private:
  at::Tensor host_;
  c10::cuda::CUDAEvent arrived_;
};

#endif

}  // namespace

std::unique_ptr<GpuGraph> CudaGpu::capture(std::function<void()> step) { return std::make_unique<Graph>(std::move(step)); }

std::unique_ptr<GpuCopy> CudaGpu::copy_to_host(const at::Tensor& values) { return std::make_unique<Copy>(values); }

}  // namespace vsgrpo::glue
