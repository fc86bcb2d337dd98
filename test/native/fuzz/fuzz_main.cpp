// Fuzzes what reads foreign bytes, with fixed seeds, under the address and undefined-behaviour sanitizers (VSGRPO_FUZZ=ON):
// JSON, safetensors files, resizing and cutting of images. Each input must give a result or one of the reader's own errors, in
// time. `vsgrpo_fuzz [inputs per target] [target]`; the last line reads "fuzz: N passed, N failed".
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/check.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "mutate.h"
#include "ops/patchify.h"

namespace {

using fuzz::Random;

// Seconds of processor time that one input may take under the sanitizers, and of real time after which a hang ends the program.
constexpr double kSlow = 2.0;
constexpr unsigned kHang = 60;

const std::vector<std::string> kDictionary = {
    "\"",     "{",    "}",  "[",     "]",    ",",     ":",     "\\",    "\\u",    "\\ud800", "null",    "true",  "0",     "-1",
    "1e308",  "1e-9", "-",  "0.5",   "9007199254740993", "18446744073709551615", "4294967296",  "9e15",  "nan", "inf",
    "\"F32\"", "\"BF16\"", "\"BOOL\"", "\"I64\"", "\"U8\"", "\"Q4\"", "\"shape\":[]", "\"data_offsets\":[0,0]", "[0,9e14,9e14]",
    "[[[[[[[[[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":", "\"__metadata__\":", std::string(1, '\0'), "\xff\xfe", "\xf0\x9f\x98\x80"};

const std::vector<std::string> kDocuments = {
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[],"data_offsets":[32,33]},)"
    R"("empty":{"dtype":"I64","shape":[0,7],"data_offsets":[33,33]},"d":{"dtype":"BOOL","shape":[5],"data_offsets":[33,38]}})",
    R"({"model_type":"qwen2_vl","rope_scaling":{"type":"mrope","mrope_section":[16,24,24]},"rms_norm_eps":1e-06,"tie":false})",
    R"([1, -2.5e3, "\u00e9\ud83d\ude00\n", [], {}, [[{"deep": [null, true]}]], 0.1])",
};

// Bytes in a heap block of exactly their size: the sanitizer sees the first byte read beyond it.
class Exact {
 public:
  explicit Exact(const std::string& bytes) : size_(bytes.size()), data_(new char[bytes.size()]) {
    if (size_ > 0) std::memcpy(data_.get(), bytes.data(), size_);
  }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> data_;
};

// A file without a name on disk.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("fuzz", 0)) {
    if (fd_ < 0) throw std::runtime_error("cannot create a memory file");
  }
  ~MemoryFile() { ::close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  void write(const std::string& bytes) {
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot write a memory file");
    }
  }

 private:
  int fd_;
};

void require(bool ok, const char* what) {
  if (!ok) throw std::logic_error(what);
}

// ---- targets: true = read, false = refused with the reader's own error; anything else is thrown

bool fuzz_json(Random& random) {
  const Exact text(fuzz::mutate(random.pick(kDocuments), kDictionary, random));
  try {
    vsgrpo::Json::parse(text.view(), "input");
    return true;
  } catch (const vsgrpo::Error& error) {
    require(error.code() == "BAD_JSON", "another code than BAD_JSON");
    return false;
  }
}

std::string le64(uint64_t value) { return {reinterpret_cast<const char*>(&value), 8}; }

std::string mutated_safetensors(Random& random) {
  std::string header = kDocuments[0], data;
  for (int i = 0; i < 38; ++i) data.push_back(static_cast<char>(random.below(256)));
  if (random.one_in(3)) {
    // Another number in the place of one: most of the ways to lie about shapes and places.
    const size_t at = header.find_first_of("0123456789", random.below(header.size() - 12));
    header.replace(at, 1, random.pick<std::string>({"0", "1", "2", "5", "8", "24", "33", "38", "39", "-1", "9e14", "4611686018427387904", "1.5"}));
  } else if (!random.one_in(3)) {
    header = fuzz::mutate(header, kDictionary, random);
  }
  const uint64_t claimed = random.one_in(8) ? random.pick<uint64_t>({0, 1, header.size() + 1, header.size() + 38, header.size() + 39, 1ull << 27,
                                                                     1ull << 63, ~0ull, ~0ull - 7})
                                            : header.size();
  std::string file = le64(claimed) + header + data;
  if (random.one_in(4)) file.resize(random.below(file.size() + 1));
  if (random.one_in(8)) file = fuzz::mutate(file, kDictionary, random);
  return file;
}

// Every tensor's bytes must be the file's bytes at the offsets that the header states.
void read_tensors(const vsgrpo::SafetensorsFile& file, const Exact& bytes) {
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.view().data(), 8);
  const auto header = vsgrpo::Json::parse(bytes.view().substr(8, header_bytes), "input");
  for (const std::string& name : file.names()) {
    const at::Tensor tensor = file.read(name);
    const auto& offsets = header.find(name)->find("data_offsets")->as_array(name);
    const size_t begin = 8 + header_bytes + static_cast<size_t>(offsets[0].as_integer(name));
    const size_t end = 8 + header_bytes + static_cast<size_t>(offsets[1].as_integer(name));
    require(tensor.nbytes() == end - begin, "a tensor of another size than its bytes");
    if (begin == end) continue;
    require(std::memcmp(tensor.const_data_ptr(), bytes.view().data() + begin, end - begin) == 0, "other bytes than the file's");
  }
}

bool fuzz_safetensors(Random& random) {
  static MemoryFile target;
  const Exact bytes(mutated_safetensors(random));
  target.write(std::string(bytes.view()));
  try {
    const vsgrpo::SafetensorsFile file(target.path());
    read_tensors(file, bytes);
    return true;
  } catch (const vsgrpo::Error& error) {
    require(error.code() == "BAD_CHECKPOINT" || error.code() == "BAD_JSON", "another code than BAD_CHECKPOINT or BAD_JSON");
    require(std::strstr(error.what(), target.path().c_str()), "an error that does not name the file");
    return false;
  }
}

vsgrpo::PatchifyOptions patchify_options(Random& random) {
  vsgrpo::PatchifyOptions o;
  o.frames = random.between(1, 5);
  o.height = random.between(1, 48);
  o.width = random.one_in(8) ? random.between(49, 400) : random.between(1, 48);
  o.patch_size = random.between(1, 6);
  o.temporal_patch_size = random.between(1, 3);
  o.merge_size = random.between(1, 3);
  const int block = o.patch_size * o.merge_size;
  o.resized_height = block * random.between(1, 4);
  o.resized_width = block * random.between(1, 4);
  o.resize = random.pick<vsgrpo::Resize>({vsgrpo::Resize::kPillow, vsgrpo::Resize::kTorchvisionUint8, vsgrpo::Resize::kTorchvisionFloat});
  return o;
}

// One size that does not fit, or does by chance.
void spoil(vsgrpo::PatchifyOptions& o, Random& random) {
  const std::vector<int> odd = {0, -1, 1, 7, 65536, 1 << 30, INT32_MIN, INT32_MAX};
  const std::vector<int*> fields = {&o.resized_height, &o.resized_width, &o.patch_size, &o.temporal_patch_size, &o.merge_size};
  for (size_t n = random.below(2) + 1; n > 0; --n) *random.pick(fields) = random.pick(odd);
}

bool fits(const vsgrpo::PatchifyOptions& o) {
  for (const int size : {o.patch_size, o.temporal_patch_size, o.merge_size}) {
    if (size < 1 || size > 4096) return false;
  }
  const int64_t block = static_cast<int64_t>(o.patch_size) * o.merge_size;
  return o.resized_height >= block && o.resized_width >= block && o.resized_height % block == 0 && o.resized_width % block == 0;
}

bool fuzz_patchify(Random& random) {
  vsgrpo::PatchifyOptions o = patchify_options(random);
  if (random.one_in(4)) spoil(o, random);
  // What fits but is larger than the machine is the caller's affair.
  const int64_t steps = (static_cast<int64_t>(o.frames) + o.temporal_patch_size - 1) / std::max(1, o.temporal_patch_size);
  if (fits(o) && static_cast<double>(o.resized_height) * o.resized_width * o.temporal_patch_size * static_cast<double>(steps) > 1e6) return false;
  std::vector<uint8_t> rgb(static_cast<size_t>(o.frames) * o.height * o.width * 3);
  for (uint8_t& byte : rgb) byte = static_cast<uint8_t>(random.one_in(4) ? (random.one_in(2) ? 0 : 255) : random.below(256));
  try {
    const std::vector<uint8_t> patches = vsgrpo::patchify(rgb.data(), o);
    require(fits(o), "sizes that do not fit were taken");
    require(patches.size() == static_cast<size_t>(steps) * o.temporal_patch_size * o.resized_height * o.resized_width * 3, "another size");
    return true;
  } catch (const std::invalid_argument&) {
    require(!fits(o), "sizes that fit were refused");
    return false;
  }
}

struct Target {
  const char* name;
  uint64_t seed;
  bool (*run)(Random&);
};

bool run(const Target& target, int inputs) {
  Random random(target.seed);
  int read = 0;
  double slowest = 0;
  for (int i = 0; i < inputs; ++i) {
    ::alarm(kHang);
    const std::clock_t start = std::clock();
    try {
      read += target.run(random);
    } catch (const std::exception& error) {
      std::printf("FAIL  %s: input %d of seed %llu: %s\n", target.name, i, static_cast<unsigned long long>(target.seed), error.what());
      return false;
    }
    slowest = std::max(slowest, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  ::alarm(0);
  const bool ok = slowest < kSlow && (inputs < 1000 || (read > inputs / 100 && read < inputs));
  std::printf("%s  %s: %d mutated inputs, %d read, %d refused, slowest %.1f ms\n", ok ? "ok  " : "FAIL", target.name, inputs, read,
              inputs - read, 1e3 * slowest);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  const int inputs = argc > 1 ? std::atoi(argv[1]) : 10000;
  const char* filter = argc > 2 ? argv[2] : "";
  int passed = 0, failed = 0;
  for (const Target& target : {Target{"json", 1, fuzz_json}, Target{"safetensors", 2, fuzz_safetensors}, Target{"patchify", 3, fuzz_patchify}}) {
    if (std::strstr(target.name, filter)) ++(run(target, inputs) ? passed : failed);
    std::fflush(stdout);
  }
  std::printf("fuzz: %d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
