// One block of a CUDA launch on the CPU: its threads are fibers of one thread of execution, which hand over only where the
// kernel synchronises. So a kernel's mistakes show as wrong numbers or as a message instead of as chance: the order of the
// threads can be turned round, a barrier that some thread never reaches is an error, and so is what races.h looks for.
#pragma once
#include <cstddef>
#include <functional>

#include "order.h"
#include "vector_types.h"

namespace emulation {

// Runs `body` once for every thread of the grid. Throws std::logic_error when threads wait for one that never comes, and with
// what found_fault() says.
void run_grid(dim3 grid, dim3 block, const std::function<void()>& body);

// For the running thread: waits until all threads of its block, or its warp, are there.
void block_barrier();
void warp_barrier();

// Ends the running thread and, with what found_fault() says, its launch.
[[noreturn]] void give_up();

unsigned lane();

// What each lane of the running thread's warp has put down for the collective call under way.
constexpr size_t kSlotBytes = 32;
void put(const void* value, size_t bytes);
const void* slot(unsigned lane);

}  // namespace emulation
