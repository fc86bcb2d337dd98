#include <atomic>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "core/parallel.h"

using vsgrpo::parallel_for;

TEST_CASE("parallel_for calls the body once for every index") {
  for (const int64_t count : {0, 1, 2, 7, 64, 1000}) {
    for (const int64_t grain : {0, 1, 3, 5000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      parallel_for(10, 10 + count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++calls[static_cast<size_t>(i - 10)];
      });
      for (const auto& n : calls) CHECK(n == 1);
    }
  }
}

TEST_CASE("parallel_for in a body runs there, and loops of several threads do not wait for each other") {
  std::atomic<int64_t> sum = 0;
  const auto nested = [&] {
    parallel_for(0, 50, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        parallel_for(0, 10, 1, [&](int64_t first, int64_t last) { sum += last - first; });
      }
    });
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { for (int k = 0; k < 50; ++k) nested(); });
  for (std::thread& thread : threads) thread.join();
  CHECK(sum == 4 * 50 * 50 * 10);
}

TEST_CASE("parallel_for throws what a body threw, and works afterwards") {
  const auto throwing = [] {
    parallel_for(0, 100, 1, [](int64_t begin, int64_t end) {
      if (begin <= 42 && 42 < end) throw std::runtime_error("at 42");
    });
  };
  for (int i = 0; i < 20; ++i) CHECK_THROWS_WITH(throwing(), "at 42");
  std::atomic<int64_t> sum = 0;
  parallel_for(0, 100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  CHECK(sum == 100);
}

TEST_CASE("a worker that has gone to sleep is woken") {
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int64_t> sum = 0;
    parallel_for(0, 8, 1, [&](int64_t begin, int64_t end) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      sum += end - begin;
    });
    CHECK(sum == 8);
  }
}
