// C++ exceptions become JavaScript errors with a stable `code`; nothing else may cross the boundary.
#pragma once
#include <napi.h>
#include <string>
#include <utility>

namespace vsgrpo {

// (code, message) of the exception being handled.
std::pair<std::string, std::string> describe_current_exception();

Napi::Value js_error(Napi::Env env, const std::string& code, const std::string& message);

// Runs a synchronous body of a method, turning C++ exceptions into thrown JavaScript errors.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const auto [code, message] = describe_current_exception();
    throw Napi::Error(env, js_error(env, code, message));
  }
}

}  // namespace vsgrpo
