// Where work for the GPU goes. Under the emulation there is no stream: a kernel has run when its call returns.
#pragma once

#ifdef VSGRPO_EMULATED_GPU
namespace vsgrpo::glue {
inline void* current_stream() { return nullptr; }
}  // namespace vsgrpo::glue
#else
#include <c10/cuda/CUDAStream.h>
namespace vsgrpo::glue {
inline void* current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }
}  // namespace vsgrpo::glue
#endif
