// The safetensors reader and writer: what they accept, and one message for each way in which a file can be wrong.
#include <cstdint>
#include <fstream>

#include "core/check.h"
#include "golden.h"

namespace {

using vsgrpo::SafetensorsFile;

std::string header_length(uint64_t bytes) { return std::string(reinterpret_cast<const char*>(&bytes), 8); }

std::string with_header(const std::string& json, size_t data_bytes = 0) {
  return header_length(json.size()) + json + std::string(data_bytes, '\0');
}

// Header of one F32 tensor "w" of shape [2], with one part replaced.
std::string one_tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
}

// What opening a file with these bytes says.
std::string message_of(const std::string& bytes) {
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/w.safetensors";
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    const SafetensorsFile file(path);
  } catch (const vsgrpo::Error& e) {
    const std::string message = e.what();
    CHECK_MESSAGE(message.find("w.safetensors") != std::string::npos, "should name the file: " << message);
    CHECK_MESSAGE(message.find('\n') == std::string::npos, "should be one line: " << message);
    return message;
  }
  return "nothing";
}

struct Malformed {
  const char* what;
  std::string bytes;
  const char* says;
};

std::vector<Malformed> malformed_files() {
  return {
      {"an empty file", "", "too few"},
      {"fewer than eight bytes", "abc", "too few"},
      {"a header longer than the file", header_length(1000) + "{}", "cut short"},
      {"a header length that overflows", header_length(UINT64_MAX) + "{}", "cut short"},
      {"a header length that overflows by eight", header_length(UINT64_MAX - 7) + "{}", "cut short"},
      {"a header that is no JSON", with_header("{\"w\":"), "not valid JSON"},
      {"text after the header's object", with_header("{}x"), "not valid JSON"},
      {"a header that is no object", with_header("[]"), "expected an object"},
      {"an entry that is no object", with_header("{\"w\":3}"), "has no dtype"},
      {"the same name twice", with_header("{\"w\":{},\"w\":{}}"), "repeated key w"},
      {"no dtype", with_header("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "has no dtype"},
      {"no shape", with_header("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8), "has no shape"},
      {"no offsets", with_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8), "has no data_offsets"},
      {"an unknown dtype", with_header(one_tensor("\"Q4\"", "[2]", "[0,8]"), 8), "data type Q4 is not supported"},
      {"a dtype that is a number", with_header(one_tensor("32", "[2]", "[0,8]"), 8), "expected a string"},
      {"a negative size", with_header(one_tensor("\"F32\"", "[-2]", "[0,8]"), 8), "impossible shape"},
      {"a fractional size", with_header(one_tensor("\"F32\"", "[1.5]", "[0,8]"), 8), "expected an integer"},
      {"a size that overflows", with_header(one_tensor("\"F32\"", "[4611686018427387904,4]", "[0,8]"), 8), "expected an integer"},
      {"a product of sizes that overflows", with_header(one_tensor("\"F32\"", "[3000000000,3000000000,3]", "[0,8]"), 8), "impossible shape"},
      {"one offset", with_header(one_tensor("\"F32\"", "[2]", "[0]"), 8), "two data_offsets"},
      {"a negative offset", with_header(one_tensor("\"F32\"", "[2]", "[-8,0]"), 8), "outside the file"},
      {"offsets in the wrong order", with_header(one_tensor("\"F32\"", "[2]", "[8,0]"), 8), "outside the file"},
      {"data beyond the end", with_header(one_tensor("\"F32\"", "[2]", "[0,8]"), 7), "outside the file"},
      {"a shape that needs more than the offsets give", with_header(one_tensor("\"F32\"", "[3]", "[0,8]"), 8), "needs 12 bytes"},
      {"two tensors that overlap",
       with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                   "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12), "overlap at byte 4"},
      {"brackets nested very deeply", with_header(std::string(100000, '[')), "nested too deeply"},
  };
}

}  // namespace

TEST_CASE("a malformed safetensors file gets a message of its own that names the file") {
  for (const Malformed& file : malformed_files()) {
    const std::string message = message_of(file.bytes);
    CHECK_MESSAGE(message.find(file.says) != std::string::npos, file.what << " should say '" << file.says << "', said: " << message);
  }
}

TEST_CASE("a missing safetensors file and a missing tensor are named") {
  CHECK_THROWS_WITH(SafetensorsFile("/nowhere/model.safetensors"), "/nowhere/model.safetensors");
  const SafetensorsFile file(golden::model_dir("tiny-a") + "/model.safetensors");
  CHECK_THROWS_WITH(file.read("model.nothing"), "no tensor model.nothing");
}

TEST_CASE("tensors of every written type come back as they were, empty ones too") {
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/out.safetensors";
  const vsgrpo::NamedTensors written = {{"float", at::randn({3, 5})},
                                        {"bfloat", at::randn({7}).to(at::kBFloat16)},
                                        {"int", at::arange(6, at::kInt)},
                                        {"long", at::arange(-3, 3, at::kLong)},
                                        {"byte", at::arange(5, at::kByte)},
                                        {"empty", at::empty({0, 4})},
                                        {"scalar", at::full({}, 2.5f)},
                                        {"strided \"name\"\n", at::arange(6, at::kFloat).view({2, 3}).t()}};
  vsgrpo::write_safetensors(path, written, {}, {{"step", "3"}});
  const SafetensorsFile file(path);
  CHECK_EQ(file.names().size(), written.size());
  for (const auto& [name, tensor] : written) {
    CHECK_MESSAGE(file.has(name) && file.read(name).scalar_type() == tensor.scalar_type() && file.read(name).equal(tensor), name);
  }
}

TEST_CASE("a tensor is read into another type piece by piece") {
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/w.safetensors";
  const at::Tensor values = at::randn({3, 1'500'000});  // more than one piece
  vsgrpo::write_safetensors(path, {{"before", at::ones({3})}, {"w", values}});
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor to = at::zeros({3, 1'500'000}, dtype);
    SafetensorsFile(path).read_into("w", to);
    CHECK_MESSAGE(to.equal(values.to(dtype)), at::toString(dtype));
  }
}

TEST_CASE("a file that somebody cuts short after it was opened is an error, not the end of the process") {
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/w.safetensors";
  vsgrpo::write_safetensors(path, {{"first", at::ones({1000})}, {"second", at::ones({1000})}});
  const SafetensorsFile file(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  CHECK(file.read("first").equal(at::ones({1000})));
  CHECK_THROWS_WITH(file.read("second"), "w.safetensors] ended at byte");
}

TEST_CASE("a write that fails leaves the old file whole and no temporary file") {
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/out.safetensors";
  vsgrpo::write_safetensors(path, {{"w", at::ones({4})}});
  // Complex numbers cannot be written, and the folder of the second path does not exist.
  CHECK_THROWS(vsgrpo::write_safetensors(path, {{"w", at::zeros({4}, at::kComplexFloat)}}));
  CHECK_THROWS_WITH(vsgrpo::write_safetensors(folder.path() + "/no/out.safetensors", {{"w", at::ones({4})}}), "No such file");
  CHECK(SafetensorsFile(path).read("w").equal(at::ones({4})));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.is_regular_file();
  CHECK_EQ(files, 1);
}

TEST_CASE("two thousand mutated headers neither crash nor read outside the file") {
  const std::string good = with_header(one_tensor("\"F32\"", "[2]", "[0,8]"), 8);
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/w.safetensors";
  uint32_t state = 12345;
  const auto next = [&state](size_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  int accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    for (size_t edits = 1 + next(3); edits > 0; --edits) bytes[next(bytes.size())] = static_cast<char>(next(256));
    bytes.resize(bytes.size() - next(3));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    try {
      const SafetensorsFile file(path);
      for (const std::string& name : file.names()) (void)file.read(name);
      ++accepted;
    } catch (const vsgrpo::Error&) {
      // Every refusal is one of ours; anything else fails the test.
    }
  }
  MESSAGE(accepted << " of 2000 mutated files were still valid");
  CHECK_LT(accepted, 2000);
}
