#include "kernels/arguments.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>

namespace vsgrpo::kernels {
namespace {

thread_local char last_error[256] = "";

}  // namespace

int report(int status, const char* format, ...) {
  va_list values;
  va_start(values, format);
  std::vsnprintf(last_error, sizeof(last_error), format, values);
  va_end(values);
  return status;
}

Arguments& Arguments::size(const char* name, int64_t value) {
  if (!failed() && value < 0) status_ = report(VSGRPO_BAD_SIZE, "[%s] %s: expected 0 or more, got %" PRId64, op_, name, value);
  return *this;
}

Arguments& Arguments::within(const char* name, int64_t value, int64_t least, int64_t most) {
  if (!failed() && (value < least || value > most)) {
    status_ = report(value < 0 ? VSGRPO_BAD_SIZE : VSGRPO_UNSUPPORTED, "[%s] %s: expected %" PRId64 " to %" PRId64 ", got %" PRId64, op_, name,
                     least, most, value);
  }
  return *this;
}

Arguments& Arguments::multiple(const char* name, int64_t value, int64_t of) {
  size(name, value);
  if (!failed() && value % of != 0) {
    status_ = report(VSGRPO_UNSUPPORTED, "[%s] %s: expected a multiple of %" PRId64 ", got %" PRId64, op_, name, of, value);
  }
  return *this;
}

Arguments& Arguments::type(const char* name, int32_t value) {
  if (!failed() && value != VSGRPO_FLOAT32 && value != VSGRPO_BFLOAT16) {
    status_ = report(VSGRPO_UNSUPPORTED, "[%s] %s: expected 0 (float32) or 1 (bfloat16), got %d", op_, name, value);
  }
  return *this;
}

Arguments& Arguments::present(const char* name, const void* pointer) {
  if (!failed() && !pointer) status_ = report(VSGRPO_NULL_POINTER, "[%s] %s: expected an array, got null", op_, name);
  return *this;
}

Arguments& Arguments::aligned(const char* name, const void* pointer, uintptr_t to) {
  if (!failed() && reinterpret_cast<uintptr_t>(pointer) % to != 0) {
    status_ = report(VSGRPO_UNALIGNED, "[%s] %s: expected an address that is a multiple of %d, got %p", op_, name, static_cast<int>(to), pointer);
  }
  return *this;
}

Arguments& Arguments::require(bool ok, int status, const char* what) {
  if (!failed() && !ok) status_ = report(status, "[%s] %s", op_, what);
  return *this;
}

}  // namespace vsgrpo::kernels

extern "C" int vsgrpo_kernels_abi(void) { return VSGRPO_KERNELS_ABI; }
extern "C" const char* vsgrpo_kernels_error(void) { return vsgrpo::kernels::last_error; }
