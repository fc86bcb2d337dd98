#include "races.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>
#include <unordered_map>

#include "block.h"

namespace emulation {
namespace {

constexpr unsigned kLanes = 32;

enum class Kind { read, write, atomic };

// A phase ends at each barrier of the block, a step at each of the warp. Both only ever grow, over blocks too.
struct Access {
  uint32_t phase = 0, step = 0, block = 0;
  uint16_t thread = 0;
  Kind kind = Kind::read;
  const void* code = nullptr;
};

// Of a byte: its last write and the last read since then. Other reads are overlooked; where the threads run in reverse order,
// the write comes before them.
struct Byte {
  Access write, read;
};

constexpr unsigned kPageBits = 10;
using Page = std::array<Byte, 1 << kPageBits>;

struct Watch {
  bool on = false;
  Range shared, stack;
  uint32_t phase = 0, block = 0;
  uint32_t launch_phase = 0, block_phase = 0;  // where the running launch and block began: what is older is nothing
  uint16_t thread = 0;
  std::array<uint32_t, 32> steps{};
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
  uintptr_t last_number = 0;  // the page that was asked for last
  Page* last = nullptr;
  std::string fault;
};
Watch watch;

Byte& byte_at(uintptr_t address) {
  const uintptr_t number = address >> kPageBits;
  if (watch.last == nullptr || number != watch.last_number) {
    auto& page = watch.pages[number];
    if (!page) page = std::make_unique<Page>();
    watch.last = page.get(), watch.last_number = number;
  }
  return (*watch.last)[address % (1u << kPageBits)];
}

// "file:line" of the access before a return address.
std::string place_of(const void* code) {
  Dl_info info{};
  if (dladdr(code, &info) == 0) return "?";
  std::ostringstream command;
  command << "addr2line -s -e '" << info.dli_fname << "' " << std::hex << static_cast<const char*>(code) - static_cast<const char*>(info.dli_fbase) - 1;
  char line[256] = "?";
  FILE* out = popen(command.str().c_str(), "r");
  if (out == nullptr) return line;
  if (std::fgets(line, sizeof(line), out) == nullptr) line[0] = '?', line[1] = 0;
  pclose(out);
  const std::string text(line);
  return text.substr(0, text.find_first_of(" \n"));
}

void report(const Access& access, const std::string& what) {
  static const char* const kVerbs[] = {" reads", " writes", " adds to"};
  if (!watch.fault.empty()) return;  // the first one counts
  std::ostringstream out;
  out << "thread " << access.thread << " of block " << access.block << kVerbs[static_cast<int>(access.kind)] << what << ", at " << place_of(access.code);
  watch.fault = out.str();
}

// Why nothing keeps the access and the running thread's apart, or nullptr.
const char* unordered(const Access& before, const Access& now, bool in_shared) {
  if (before.phase < watch.launch_phase || (before.kind == Kind::atomic && now.kind == Kind::atomic)) return nullptr;
  if (before.phase < watch.block_phase) return in_shared ? nullptr : "blocks do not wait for each other";
  if (before.thread == now.thread || before.phase < now.phase) return nullptr;
  if (before.thread / kLanes == now.thread / kLanes && before.step < now.step) return nullptr;
  return "no barrier is between";
}

void check(const Access& before, const Access& now, bool in_shared) {
  const char* why = unordered(before, now, in_shared);
  if (why == nullptr || !watch.fault.empty()) return;
  std::ostringstream out;
  out << " what thread " << before.thread << " of block " << before.block << (before.kind == Kind::read ? " read" : " wrote") << " at "
      << place_of(before.code) << " and " << why;
  report(now, out.str());
}

void touch_byte(uintptr_t address, const Access& now) {
  Byte& byte = byte_at(address);
  const bool in_shared = watch.shared.has(address);
  if (now.kind != Kind::write && in_shared && byte.write.phase < watch.block_phase) {
    report(now, " shared memory that its block has not written");
  }
  check(byte.write, now, in_shared);
  if (now.kind == Kind::read) {
    byte.read = now;
  } else {
    check(byte.read, now, in_shared);
    byte = {now, {}};
  }
}

void touch(const void* address, size_t bytes, Kind kind, const void* code) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  if (!watch.on || watch.stack.has(begin)) return;
  const Access now{watch.phase, watch.steps[watch.thread / kLanes], watch.block, watch.thread, kind, code};
  for (uintptr_t at = begin; at < begin + bytes; ++at) touch_byte(at, now);
  if (!watch.fault.empty()) give_up();
}

// CUDA refuses what does not begin at a multiple of its size, and so do some of the instructions that g++ takes.
void touch_aligned(const void* address, size_t bytes, Kind kind, const void* code) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  if (watch.on && begin % bytes != 0 && !watch.stack.has(begin)) {
    const Access now{.block = watch.block, .thread = watch.thread, .kind = kind, .code = code};
    report(now, " memory at no multiple of its " + std::to_string(bytes) + " bytes");
  }
  touch(address, bytes, kind, code);
}

}  // namespace

void watch_launch(Range shared) {
  constexpr size_t kPagesKept = 4096;  // 200 MB
  if (watch.pages.size() > kPagesKept) watch.pages.clear(), watch.last = nullptr;
  watch.launch_phase = ++watch.phase;
  watch.fault.clear();
  watch.shared = shared;
  watch.on = true;
}

void watch_block(unsigned number) {
  watch.block = number;
  watch.block_phase = ++watch.phase;
}

void watch_thread(unsigned number, Range stack) {
  watch.thread = static_cast<uint16_t>(number);
  watch.stack = stack;
}

void watch_block_barrier() { ++watch.phase; }
void watch_warp_barrier(unsigned warp) { ++watch.steps[warp]; }
void watch_end() { watch.on = false; }

void watch_atomic(const void* address, size_t bytes) { touch_aligned(address, bytes, Kind::atomic, __builtin_return_address(0)); }

const std::string& found_fault() { return watch.fault; }

}  // namespace emulation

// What g++ has called before each access. A vector of 16 bytes counts as aligned; what g++ knows no alignment of does not occur.
#define VSGRPO_ACCESS(bytes)                                                                                                        \
  void __tsan_read##bytes(void* at) { touch_aligned(at, bytes, Kind::read, __builtin_return_address(0)); }                          \
  void __tsan_write##bytes(void* at) { touch_aligned(at, bytes, Kind::write, __builtin_return_address(0)); }                        \
  void __tsan_unaligned_read##bytes(void* at) { touch(at, bytes, Kind::read, __builtin_return_address(0)); }                        \
  void __tsan_unaligned_write##bytes(void* at) { touch(at, bytes, Kind::write, __builtin_return_address(0)); }

extern "C" {
using namespace emulation;
VSGRPO_ACCESS(1)
VSGRPO_ACCESS(2)
VSGRPO_ACCESS(4)
VSGRPO_ACCESS(8)
VSGRPO_ACCESS(16)
void __tsan_read_range(void* at, size_t bytes) { touch(at, bytes, Kind::read, __builtin_return_address(0)); }
void __tsan_write_range(void* at, size_t bytes) { touch(at, bytes, Kind::write, __builtin_return_address(0)); }
void __tsan_vptr_update(void**, void*) {}  // of objects on the CPU's side
void __tsan_vptr_read(void**) {}
void __tsan_init() {}
}
