// A small test runner in doctest's style, of our own so that a fresh machine needs no package for it.
// TEST_CASE("a sentence") { … } registers a test. CHECK goes on after a failure, REQUIRE ends the test case.
// MESSAGE prints a line; SKIP ends the test case and counts it as skipped, with its reason.
#pragma once

#include <c10/util/Logging.h>  // has a CHECK of its own, which ends the process: ours comes after it

#include <cmath>
#include <cstdio>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace check {

struct TestCase {
  std::string name;
  const char* file;
  int line;
  std::function<void()> body;
};

struct Abort {};  // thrown by REQUIRE after it has reported
struct Skip {
  std::string reason;
};

inline std::vector<TestCase>& test_cases() {
  static std::vector<TestCase> cases;
  return cases;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* name, const char* file, int line, void (*body)()) { test_cases().push_back({name, file, line, body}); }
};

inline void report(const char* file, int line, const std::string& what) {
  ++failures();
  std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

inline bool verify(bool ok, const char* file, int line, const std::string& what) {
  if (!ok) report(file, line, what);
  return ok;
}

// Equality within a tolerance relative to the expected value; epsilon defaults to 1e-5.
class Approx {
 public:
  explicit Approx(double value) : value_(value) {}
  Approx& epsilon(double e) {
    epsilon_ = e;
    return *this;
  }
  friend bool operator==(double actual, const Approx& expected) {
    return std::abs(actual - expected.value_) <= expected.epsilon_ * (1.0 + std::abs(expected.value_));
  }

 private:
  double value_;
  double epsilon_ = 1e-5;
};

// Runs the body and says what it threw: "" for nothing, the what() of a std::exception, "?" for anything else.
template <class Exception, class Body>
bool throws_as(Body&& body, std::string* message) {
  try {
    body();
  } catch (const Exception& e) {
    if constexpr (std::is_base_of_v<std::exception, Exception>) *message = e.what();
    return true;
  } catch (...) {
    *message = "another exception";
    return false;
  }
  *message = "nothing";
  return false;
}

template <class A, class B>
std::string compared(const char* text, const A& a, const B& b) {
  std::ostringstream out;
  out << text << "  with " << a << " and " << b;
  return out.str();
}

}  // namespace check

// c10's logging header defines macros of the same names; the tests mean these.
#undef CHECK
#undef CHECK_EQ
#undef CHECK_NE
#undef CHECK_LT
#undef CHECK_LE
#undef CHECK_GT
#undef CHECK_GE

#define CHECK_JOIN2(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN2(a, b)
#define CHECK_TEST_CASE(name, id)                                                     \
  static void id();                                                                   \
  static const ::check::Register CHECK_JOIN(id, _entry)(name, __FILE__, __LINE__, id); \
  static void id()
#define TEST_CASE(name) CHECK_TEST_CASE(name, CHECK_JOIN(test_case_, __LINE__))

#define CHECK(...) ::check::verify(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, "CHECK(" #__VA_ARGS__ ")")
#define CHECK_FALSE(...) ::check::verify(!static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, "CHECK_FALSE(" #__VA_ARGS__ ")")
#define CHECK_MESSAGE(condition, message)                                                                \
  do {                                                                                                   \
    std::ostringstream check_out;                                                                        \
    check_out << #condition << ": " << message;                                                          \
    ::check::verify(static_cast<bool>(condition), __FILE__, __LINE__, check_out.str());                  \
  } while (false)
#define CHECK_COMPARE(op, a, b) ::check::verify((a)op(b), __FILE__, __LINE__, ::check::compared(#a " " #op " " #b, a, b))
#define CHECK_EQ(a, b) CHECK_COMPARE(==, a, b)
#define CHECK_NE(a, b) CHECK_COMPARE(!=, a, b)
#define CHECK_LT(a, b) CHECK_COMPARE(<, a, b)
#define CHECK_LE(a, b) CHECK_COMPARE(<=, a, b)
#define CHECK_GT(a, b) CHECK_COMPARE(>, a, b)
#define CHECK_GE(a, b) CHECK_COMPARE(>=, a, b)
#define REQUIRE(...)                                                                                                 \
  do {                                                                                                               \
    if (!::check::verify(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, "REQUIRE(" #__VA_ARGS__ ")")) throw ::check::Abort{}; \
  } while (false)
#define CHECK_THROWS_AS(expression, type)                                                             \
  do {                                                                                                \
    std::string check_message;                                                                        \
    const bool check_ok = ::check::throws_as<type>([&] { (void)(expression); }, &check_message);      \
    ::check::verify(check_ok, __FILE__, __LINE__, #expression " should throw " #type ", threw " + check_message); \
  } while (false)
#define CHECK_THROWS(expression) CHECK_THROWS_AS(expression, std::exception)
#define CHECK_THROWS_WITH(expression, part)                                                           \
  do {                                                                                                \
    std::string check_message;                                                                        \
    const bool check_ok = ::check::throws_as<std::exception>([&] { (void)(expression); }, &check_message); \
    ::check::verify(check_ok && check_message.find(part) != std::string::npos, __FILE__, __LINE__,    \
                    #expression " should throw '" + std::string(part) + "', threw: " + check_message); \
  } while (false)
#define MESSAGE(text)                                \
  do {                                               \
    std::ostringstream check_out;                    \
    check_out << text;                               \
    std::printf("  %s\n", check_out.str().c_str());  \
  } while (false)
#define FAIL(text)                                            \
  do {                                                        \
    std::ostringstream check_out;                             \
    check_out << text;                                        \
    ::check::report(__FILE__, __LINE__, check_out.str());     \
    throw ::check::Abort{};                                   \
  } while (false)
#define SKIP(text)                          \
  do {                                      \
    std::ostringstream check_out;           \
    check_out << text;                      \
    throw ::check::Skip{check_out.str()};   \
  } while (false)
