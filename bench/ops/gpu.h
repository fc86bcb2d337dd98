// What the kernels' benchmark needs of the GPU: arrays of random numbers, times by events, the rate of a plain copy.
#pragma once
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gpu {

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// Bytes on the device.
class Array {
 public:
  explicit Array(size_t bytes) : bytes_(bytes) { check(cudaMalloc(&data_, std::max<size_t>(bytes, 16)), "cudaMalloc"); }
  ~Array() { cudaFree(data_); }
  Array(Array&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  Array(const Array&) = delete;
  size_t bytes() const { return bytes_; }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  size_t bytes_;
  void* data_ = nullptr;
};

template <typename T>
Array upload(const std::vector<T>& values) {
  Array array(values.size() * sizeof(T));
  check(cudaMemcpy(array.as<T>(), values.data(), array.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  return array;
}

// One value for all.
template <typename T>
Array filled(int64_t count, T value) {
  return upload(std::vector<T>(static_cast<size_t>(count), value));
}

// Normal numbers, a block of them over and over: a kernel may run faster on zeros. `high`: the upper 16 bits, bfloat16.
inline Array normal(int64_t count, bool high, float scale = 1) {
  constexpr int64_t kBlock = 1 << 20;
  std::mt19937 random(1);
  std::normal_distribution<float> draw(0, scale);
  std::vector<uint32_t> bits(static_cast<size_t>(std::min(count, kBlock)));
  for (uint32_t& b : bits) {
    const float value = draw(random);
    std::copy_n(reinterpret_cast<const char*>(&value), sizeof(b), reinterpret_cast<char*>(&b));
  }
  std::vector<uint16_t> halves;
  for (const uint32_t b : bits) halves.push_back(static_cast<uint16_t>(b >> 16));
  const size_t size = high ? 2 : 4;
  const void* block = high ? static_cast<const void*>(halves.data()) : bits.data();
  Array array(static_cast<size_t>(count) * size);
  for (int64_t at = 0; at < count; at += kBlock) {
    const auto bytes = static_cast<size_t>(std::min(kBlock, count - at)) * size;
    check(cudaMemcpy(array.as<char>() + static_cast<size_t>(at) * size, block, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  return array;
}

struct Times {
  double median, least, most;  // seconds
};

// Repeats `work` on the default stream; what it reads is driven out of the L2 cache before each time.
inline Times time(const std::function<void()>& work, int repeats = 20) {
  static const Array flush(size_t{256} << 20);
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  std::vector<double> seconds;
  for (int i = -3; i < repeats; ++i) {
    check(cudaMemsetAsync(flush.as<char>(), i & 0xff, flush.bytes()), "cudaMemset");
    check(cudaEventRecord(begin), "cudaEventRecord");
    work();
    check(cudaEventRecord(end), "cudaEventRecord");
    check(cudaEventSynchronize(end), "the kernel");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (i >= 0) seconds.push_back(milliseconds * 1e-3);
  }
  check(cudaEventDestroy(begin), "cudaEventDestroy");
  check(cudaEventDestroy(end), "cudaEventDestroy");
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), seconds.back()};
}

// Bytes per second of a large copy on the device, read and written ones together.
inline double copy_rate() {
  constexpr size_t kBytes = size_t{2} << 30;
  const Array from(kBytes), to(kBytes);
  const Times t = time([&] { check(cudaMemcpyAsync(to.as<char>(), from.as<char>(), kBytes, cudaMemcpyDeviceToDevice), "copy"); });
  return 2 * static_cast<double>(kBytes) / t.median;
}

}  // namespace gpu
