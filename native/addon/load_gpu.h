// Brings in the CUDA half of the engine: libtorch_cuda.so from beside libtorch_cpu.so, then libvsgrpo_cuda.so from beside the
// addon. The addon itself links neither, so that one file serves machines with and without CUDA.
#pragma once

namespace vsgrpo {

// Before the first model is loaded, on whichever device: libtorch looks for CUDA once, and would not see what comes later. Does
// nothing in a build for the CPU.
void prepare_gpu();

// Makes gpu() usable (core/gpu.h). Throws Error("NO_CUDA") that says what is missing and what to do about it.
void load_gpu();

}  // namespace vsgrpo
