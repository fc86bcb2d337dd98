// What `compute-sanitizer` looks for on a GPU, on the CPU: accesses of two threads to the same bytes, one of them a write, that
// no barrier keeps apart, and reads of shared memory that nothing has written. The kernels are compiled with g++'s
// -fsanitize=thread, which calls a function before each access; races.cpp has those functions instead of g++'s run-time library.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace emulation {

struct Range {
  uintptr_t begin = 0, end = 0;

  bool has(uintptr_t address) const { return address >= begin && address < end; }
};

// The emulation says where the accesses come from: a launch, its blocks one after the other, and in each the running thread.
// `shared` is the block's own memory; that of other blocks lies at the same place.
void watch_launch(Range shared);
void watch_block(unsigned number);
void watch_thread(unsigned number, Range stack);
void watch_block_barrier();
void watch_warp_barrier(unsigned warp);  // __syncwarp: the other calls of a warp say nothing about memory
void watch_end();

// The next access of `bytes` at `address` is an atomic one: only others can be in conflict with it.
void watch_atomic(const void* address, size_t bytes);

// The first fault since the launch began, or "".
const std::string& found_fault();

}  // namespace emulation
