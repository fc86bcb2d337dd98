#include "block.h"

#include <csetjmp>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "races.h"

// The bounds of this program's variables, by the linker: of those, kernels touch only their __shared__ ones.
extern char __bss_start[], _end[];

namespace emulation {
namespace {

constexpr size_t kStackBytes = 128 << 10;
constexpr unsigned kLanes = 32;

enum class State { ready, at_warp, at_block, done };

// Of the calls of a whole warp only __syncwarp keeps accesses to memory apart.
enum class Call { barrier, exchange };

// A thread starts through ucontext and lives on from block to block; the two sides change places by longjmp, which needs no
// system call.
struct Thread {
  ucontext_t context{};
  std::jmp_buf place{};
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  bool started = false;
  State state = State::done;
  Call call = Call::barrier;  // that a thread at_warp waits in
  uint3 index{};
  int calls = 0;  // collective calls so far: even and odd ones have slots of their own
  alignas(16) unsigned char slots[2][kSlotBytes]{};
};

Order order_ = Order::forward;
std::jmp_buf scheduler;
Thread* running = nullptr;
const std::function<void()>* body_ = nullptr;
std::exception_ptr thrown;  // by a thread of the block

std::vector<std::unique_ptr<Thread>>& pool() {
  static std::vector<std::unique_ptr<Thread>> threads;
  return threads;
}

void hand_over(State state) {
  running->state = state;
  if (_setjmp(running->place) == 0) _longjmp(scheduler, 1);
}

void run_bodies() {
  for (;;) {
    try {
      (*body_)();
    } catch (...) {
      thrown = std::current_exception();
    }
    hand_over(State::done);
  }
}

// The numbers below `count` as the order says.
std::vector<unsigned> sequence(unsigned count) {
  static std::mt19937 random(7);
  std::vector<unsigned> out(count);
  std::iota(out.begin(), out.end(), 0u);
  if (order_ == Order::reverse) std::reverse(out.begin(), out.end());
  if (order_ == Order::shuffled) std::shuffle(out.begin(), out.end(), random);
  return out;
}

void start(Thread& thread, unsigned i, dim3 block) {
  thread.state = State::ready;
  thread.calls = 0;
  thread.index = {i % block.x, i / block.x % block.y, i / block.x / block.y};
}

Range bounds(const char* begin, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  return {address, address + bytes};
}

void resume(Thread& thread, unsigned i) {
  running = &thread;
  watch_thread(i, bounds(thread.stack.get(), kStackBytes));
  threadIdx = thread.index;
  if (_setjmp(scheduler) != 0) return;
  if (thread.started) _longjmp(thread.place, 1);
  thread.started = true;
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStackBytes;
  makecontext(&thread.context, run_bodies, 0);
  setcontext(&thread.context);
}

class Block {
 public:
  explicit Block(unsigned threads) : threads_(threads), warps_(sequence(threads / kLanes)), lanes_(sequence(kLanes)) {}

  void run() {
    for (;;) {
      for (const unsigned warp : warps_) run_warp(warp);
      if (count(0, threads_, State::done) == threads_) return;
      if (count(0, threads_, State::at_block) != threads_) fail(0, threads_, State::at_block, "__syncthreads");
      watch_block_barrier();
      release(0, threads_);
    }
  }

 private:
  // Until every lane is at a barrier of the block, or has ended.
  void run_warp(unsigned warp) {
    const unsigned begin = warp * kLanes, end = begin + kLanes;
    for (;;) {
      for (const unsigned i : lanes_) {
        Thread& thread = *pool()[begin + i];
        if (thread.state == State::ready) resume(thread, begin + i);
        if (thrown) abandon(std::exchange(thrown, nullptr));
        if (!found_fault().empty()) abandon(std::make_exception_ptr(std::logic_error(found_fault())));
      }
      const unsigned waiting = count(begin, end, State::at_warp);
      if (waiting == 0) return;
      if (waiting != kLanes) fail(begin, end, State::at_warp, "a call of the whole warp");
      if (pool()[begin]->call == Call::barrier) watch_warp_barrier(warp);
      release(begin, end);
    }
  }

  static unsigned count(unsigned begin, unsigned end, State state) {
    unsigned n = 0;
    for (unsigned i = begin; i < end; ++i) n += pool()[i]->state == state;
    return n;
  }

  static void release(unsigned begin, unsigned end) {
    for (unsigned i = begin; i < end; ++i) pool()[i]->state = State::ready;
  }

  // Names the first few threads that are somewhere else.
  [[noreturn]] static void fail(unsigned begin, unsigned end, State expected, const char* where) {
    std::ostringstream message;
    message << "block (" << blockIdx.x << ", " << blockIdx.y << ", " << blockIdx.z << "): some threads wait at " << where << ", but not";
    int named = 0;
    for (unsigned i = begin; i < end && named < 8; ++i) {
      if (pool()[i]->state != expected) message << (named++ ? ", " : " ") << i;
    }
    abandon(std::make_exception_ptr(std::logic_error(message.str())));
  }

  // Threads that stand in the middle of their work are of no more use.
  [[noreturn]] static void abandon(std::exception_ptr reason) {
    pool().clear();
    watch_end();
    std::rethrow_exception(reason);
  }

  unsigned threads_;
  std::vector<unsigned> warps_, lanes_;
};

void check(dim3 grid, unsigned threads) {
  if (threads == 0 || threads > 1024 || threads % kLanes != 0) throw std::logic_error("a block has " + std::to_string(threads) + " threads");
  if (grid.x == 0 || grid.x > 0x7fffffffu || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
    throw std::logic_error("the grid has a side that CUDA refuses");
  }
}

}  // namespace

void set_order(Order order) { order_ = order; }

void run_grid(dim3 grid, dim3 block, const std::function<void()>& body) {
  const unsigned threads = block.x * block.y * block.z;
  check(grid, threads);
  while (pool().size() < threads) pool().push_back(std::make_unique<Thread>());
  gridDim = grid;
  blockDim = block;
  body_ = &body;
  watch_launch(bounds(__bss_start, static_cast<size_t>(_end - __bss_start)));
  for (const unsigned b : sequence(grid.x * grid.y * grid.z)) {
    blockIdx = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
    watch_block(b);
    for (unsigned i = 0; i < threads; ++i) start(*pool()[i], i, block);
    Block(threads).run();
  }
  watch_end();
}

void give_up() {
  running->state = State::done;
  _longjmp(scheduler, 1);
}

void block_barrier() { hand_over(State::at_block); }

void warp_barrier() {
  running->call = Call::barrier;
  hand_over(State::at_warp);
}

unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % kLanes; }

void put(const void* value, size_t bytes) {
  std::memcpy(running->slots[++running->calls % 2], value, bytes);
  running->call = Call::exchange;
  hand_over(State::at_warp);
}

const void* slot(unsigned other) {
  const size_t own = static_cast<size_t>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
  return pool()[own / kLanes * kLanes + other]->slots[running->calls % 2];
}

}  // namespace emulation
