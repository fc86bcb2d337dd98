// The kernels that generation calls by their own arguments, and the library's entry.
#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {

void CudaGpu::launch(vsgrpo_add_rms_norm_args args) { call(vsgrpo_add_rms_norm, args); }
void CudaGpu::launch(vsgrpo_mrope_args args) { call(vsgrpo_mrope, args); }
void CudaGpu::launch(vsgrpo_decode_attention_args args) { call(vsgrpo_decode_attention, args); }
void CudaGpu::launch(vsgrpo_sample_args args) { call(vsgrpo_sample, args); }

int64_t CudaGpu::decode_attention_workspace(vsgrpo_decode_attention_args args) {
  args.struct_size = sizeof(args);
  return vsgrpo_decode_attention_workspace(&args);
}

}  // namespace vsgrpo::glue

vsgrpo::Gpu* vsgrpo_gpu() {
  VS_CHECK(vsgrpo_kernels_abi() == VSGRPO_KERNELS_ABI, "NO_CUDA", "[gpu] libvsgrpo_cuda_kernels.so speaks version ", vsgrpo_kernels_abi(),
           " of its interface, libvsgrpo_cuda.so version ", VSGRPO_KERNELS_ABI, ": run `vsgrpo setup --cuda` again");
#ifndef VSGRPO_EMULATED_GPU
  // The allocator knows no device before, and would have nothing to say of its memory.
  at::globalContext().lazyInitDevice(at::kCUDA);
  // Products of bfloat16 matrices that are cut along the sum are added in float32.
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
#endif
  // Never deleted: the driver may be gone before static objects are.
  static auto* gpu = new vsgrpo::glue::CudaGpu();
  return gpu;
}
