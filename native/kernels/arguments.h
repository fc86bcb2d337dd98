// Checks of what crosses the C interface. The first fault of a call is kept, with a sentence for vsgrpo_kernels_error().
#pragma once
#include "kernels/vsgrpo_kernels.h"

namespace vsgrpo::kernels {

// Keeps the sentence, returns the status.
[[gnu::format(printf, 2, 3)]] int report(int status, const char* format, ...);

class Arguments {
 public:
  explicit Arguments(const char* op) : op_(op) {}

  // Not negative.
  Arguments& size(const char* name, int64_t value);
  // What the first side of a grid can count.
  Arguments& rows(int64_t value) { return within("rows", value, 0, INT32_MAX); }
  Arguments& within(const char* name, int64_t value, int64_t least, int64_t most);
  // A shape that some kernel was compiled for.
  Arguments& multiple(const char* name, int64_t value, int64_t of);
  Arguments& type(const char* name, int32_t value);
  // Arrays that are read in 16-byte pieces …
  Arguments& array(const char* name, const void* pointer) { return present(name, pointer).aligned(name, pointer, 16); }
  Arguments& optional(const char* name, const void* pointer) { return aligned(name, pointer, 16); }
  // … and those that are read number by number.
  template <typename T>
  Arguments& numbers(const char* name, const T* pointer) {
    return present(name, pointer).aligned(name, pointer, alignof(T));
  }
  template <typename T>
  Arguments& optional_numbers(const char* name, const T* pointer) {
    return aligned(name, pointer, alignof(T));
  }
  Arguments& require(bool ok, int status, const char* what);

  int status() const { return status_; }
  bool failed() const { return status_ != VSGRPO_OK; }

 private:
  Arguments& present(const char* name, const void* pointer);
  Arguments& aligned(const char* name, const void* pointer, uintptr_t to);

  const char* op_;
  int status_ = VSGRPO_OK;
};

// The struct is there and of this build.
template <typename Struct>
int opened(const char* op, const Struct* args) {
  if (!args) return report(VSGRPO_NULL_POINTER, "[%s] args: expected a struct, got null", op);
  if (args->struct_size == sizeof(Struct)) return VSGRPO_OK;
  return report(VSGRPO_BAD_STRUCT, "[%s] struct_size: expected %zu, got %u: rebuild caller and kernels from the same sources", op,
                sizeof(Struct), args->struct_size);
}

}  // namespace vsgrpo::kernels
