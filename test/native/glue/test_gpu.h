// The GPU of a test, while this lives: the machine's own with VSGRPO_ON_GPU; else native/glue on CUDA's emulation, where the
// device's tensors are CPU tensors.
#pragma once
#include "check.h"
#include "glue/cuda_gpu.h"

class TestGpu {
 public:
#ifdef VSGRPO_ON_GPU
  TestGpu() {
    if (!at::hasCUDA()) SKIP("no GPU");
    vsgrpo::set_gpu(vsgrpo_gpu());
  }
  at::Device device() const { return at::Device(at::kCUDA, 0); }
#else
  TestGpu() { vsgrpo::set_gpu(vsgrpo_gpu(), /*emulated=*/true); }
  at::Device device() const { return at::kCPU; }
#endif
  ~TestGpu() { vsgrpo::set_gpu(nullptr); }
  TestGpu(const TestGpu&) = delete;
  TestGpu& operator=(const TestGpu&) = delete;
};
