#include "addon/errors.h"

#include <c10/util/Exception.h>
#include <new>

#include "core/check.h"

namespace vsgrpo {
namespace {

// Only the GPU's allocator has a type of its own: the CPU's, CUDA's runtime and cuBLAS say it in words.
bool is_memory(const std::string& what) {
  for (const char* words : {"can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"}) {
    if (what.find(words) != std::string::npos) return true;
  }
  return false;
}

// "CUDA out of memory. Tried to allocate … GPU 0 has a total capacity of … of which … is free." without the advice for PyTorch.
std::string first_sentences(const std::string& what) {
  const size_t end = what.find(" is free.");
  return end == std::string::npos ? what : what.substr(0, end + std::string(" is free.").size());
}

}  // namespace

std::pair<std::string, std::string> describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const c10::OutOfMemoryError& error) {
    return {"OUT_OF_MEMORY", first_sentences(error.what_without_backtrace())};
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    return {is_memory(what) ? "OUT_OF_MEMORY" : "LIBTORCH", what};
  } catch (const std::bad_alloc&) {
    return {"OUT_OF_MEMORY", "out of memory"};
  } catch (const std::exception& error) {
    return {"INTERNAL", error.what()};
  } catch (...) {
    return {"INTERNAL", "unknown native error"};
  }
}

Napi::Value js_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error.Value();
}

}  // namespace vsgrpo
