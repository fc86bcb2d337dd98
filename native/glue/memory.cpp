#include "glue/cuda_gpu.h"

#ifndef VSGRPO_EMULATED_GPU
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace vsgrpo::glue {

#ifdef VSGRPO_EMULATED_GPU

GpuMemory CudaGpu::memory() { return {}; }
void CudaGpu::reset_peak() {}
void CudaGpu::release_cached() {}
void CudaGpu::synchronize() {}

#else

namespace allocator = c10::cuda::CUDACachingAllocator;

GpuMemory CudaGpu::memory() {
  const auto stats = allocator::getDeviceStats(c10::cuda::current_device());
  const auto of_all_pools = [](const auto& figures) { return figures[0]; };
  const auto [free, total] = allocator::get()->getMemoryInfo(c10::cuda::current_device());
  return {of_all_pools(stats.allocated_bytes).current, of_all_pools(stats.allocated_bytes).peak, of_all_pools(stats.reserved_bytes).current,
          static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

void CudaGpu::reset_peak() { allocator::resetPeakStats(c10::cuda::current_device()); }
void CudaGpu::release_cached() { allocator::emptyCache(); }
void CudaGpu::synchronize() { c10::cuda::device_synchronize(); }

#endif

}  // namespace vsgrpo::glue
