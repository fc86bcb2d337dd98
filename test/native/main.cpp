// Runs the native tests whose names contain the first argument (all without one); exits with 1 when any failed.
// The last line reads "native: N passed, N failed, N skipped".
#include <chrono>
#include <cstring>

#include "check.h"

namespace {

enum class Outcome { passed, failed, skipped };

Outcome run(const check::TestCase& test) {
  const int before = check::failures();
  try {
    test.body();
  } catch (const check::Abort&) {
  } catch (const check::Skip& skip) {
    std::printf("skip  %s: %s\n", test.name.c_str(), skip.reason.c_str());
    return Outcome::skipped;
  } catch (const std::exception& e) {
    check::report(test.file, test.line, std::string("threw ") + e.what());
  } catch (...) {
    check::report(test.file, test.line, "threw something that is no std::exception");
  }
  return check::failures() == before ? Outcome::passed : Outcome::failed;
}

}  // namespace

int main(int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  int counts[3] = {0, 0, 0};
  for (const auto& test : check::test_cases()) {
    if (test.name.find(filter) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    const Outcome outcome = run(test);
    ++counts[static_cast<int>(outcome)];
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (outcome != Outcome::skipped) {
      std::printf("%s  %s (%.2f s)\n", outcome == Outcome::passed ? "ok  " : "FAIL", test.name.c_str(), seconds);
    }
    std::fflush(stdout);
  }
  std::printf("native: %d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] == 0 ? 0 : 1;
}
