#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "core/rounding.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace vsgrpo {
namespace {

using Body = c10::function_ref<void(int64_t, int64_t)>;

constexpr int64_t kPartsPerThread = 4;  // a thread that is held up leaves its parts to the others
constexpr auto kAwake = std::chrono::microseconds(100);

thread_local bool inside = false;

void pause() {
#ifdef __x86_64__
  _mm_pause();
#endif
}

// Waits for `done`: awake for a moment, then giving way to other threads.
template <typename Done>
void await(const Done& done) {
  for (int i = 0; !done(); ++i) {
    if (i < 4096) pause();
    else std::this_thread::yield();
  }
}

struct Loop {
  Body body;
  int64_t end, part;
  std::atomic<int64_t> next;
  std::mutex mutex;
  std::exception_ptr error;

  // Works on parts until there are no more.
  void run() {
    for (;;) {
      const int64_t first = next.fetch_add(part, std::memory_order_relaxed);
      if (first >= end) return;
      try {
        body(first, std::min(end, first + part));
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (!error) error = std::current_exception();
        next.store(end, std::memory_order_relaxed);
      }
    }
  }
};

// Workers join the loop that is open, or none: one that wakes late holds nobody up.
class Team {
 public:
  static Team& instance() {
    static Team* const team = new Team;  // never destroyed: its threads run until the process ends
    return *team;
  }

  void run(Loop& loop, int threads) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return loop.run();
    for (; workers_ < threads - 1; ++workers_) std::thread([this, index = workers_] { work(index); }).detach();
    allowed_ = threads - 1;
    open_.store(&loop);
    loops_.fetch_add(1);
    loops_.notify_all();
    loop.run();
    open_.store(nullptr);
    await([&] { return joined_.load() == 0; });
  }

 private:
  void work(int index) {
    inside = true;
    for (uint32_t seen = 0;;) {
      seen = next_loop(seen);
      // Joining is announced before the loop is read, and a loop is closed before the joined are counted: a loop that this
      // thread can see stays until it leaves.
      joined_.fetch_add(1);
      Loop* const loop = open_.load();
      if (loop && index < allowed_) loop->run();
      joined_.fetch_sub(1);
    }
  }

  // Waits until a loop was opened after `seen`.
  uint32_t next_loop(uint32_t seen) {
    const auto sleep_at = std::chrono::steady_clock::now() + kAwake;
    do {
      for (int i = 0; i < 64; ++i, pause()) {
        const uint32_t now = loops_.load();
        if (now != seen) return now;
      }
    } while (std::chrono::steady_clock::now() < sleep_at);
    loops_.wait(seen);
    return loops_.load();
  }

  std::mutex busy_;
  int workers_ = 0;
  std::atomic<int> allowed_ = 0, joined_ = 0;
  std::atomic<uint32_t> loops_ = 0;
  std::atomic<Loop*> open_ = nullptr;
};

struct Inside {
  Inside() { inside = true; }
  ~Inside() { inside = false; }
};

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain, Body body) {
  const int64_t count = end - begin, least = std::max<int64_t>(1, grain);
  if (count <= 0) return;
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), divided_up(count, least));
  if (threads <= 1 || inside) return body(begin, end);
  const Inside guard;
  Loop loop{body, end, std::max(least, divided_up(count, threads * kPartsPerThread)), begin, {}, {}};
  Team::instance().run(loop, static_cast<int>(threads));
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace vsgrpo
