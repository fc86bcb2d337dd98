#include "addon/errors.h"

#include <new>

#include "core/check.h"
#include "core/memory_error.h"

namespace vsgrpo {
namespace {

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
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    return is_out_of_memory(error) ? std::pair{"OUT_OF_MEMORY", first_sentences(what)} : std::pair{"LIBTORCH", what};
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
