#include "addon/errors.h"

#include <c10/util/Exception.h>
#include <new>

#include "core/check.h"

namespace vsgrpo {

std::pair<std::string, std::string> describe_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const c10::OutOfMemoryError& error) {
    return {"OUT_OF_MEMORY", error.what_without_backtrace()};
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    // The CPU allocator has no type of its own.
    const bool memory = what.find("can't allocate memory") != std::string::npos;
    return {memory ? "OUT_OF_MEMORY" : "LIBTORCH", what};
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
