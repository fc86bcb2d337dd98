// Errors that reach TypeScript: a stable code and one line "[where] expected …, got …".
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace vsgrpo {

class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

template <typename... Parts>
[[noreturn]] void fail(const char* code, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(code, message.str());
}

}  // namespace vsgrpo

// VS_CHECK(ok, "BAD_SHAPE", "[op] expected ", a, ", got ", b)
#define VS_CHECK(condition, ...)              \
  do {                                        \
    if (!(condition)) ::vsgrpo::fail(__VA_ARGS__); \
  } while (false)
