// Which of libtorch's errors say that memory ran out.
#pragma once
#include <c10/util/Exception.h>

#include <string_view>

namespace vsgrpo {

// Only the GPU's allocator has a type of its own: the CPU's, CUDA's runtime and cuBLAS say it in words.
inline bool is_out_of_memory(const c10::Error& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string_view what = error.what_without_backtrace();
  for (const char* words : {"can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"}) {
    if (what.find(words) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace vsgrpo
