#include "core/safetensors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/json.h"

namespace vsgrpo {
namespace {

constexpr size_t kMaxHeader = 100u << 20;
constexpr int64_t kPieceBytes = 16 << 20;  // of a tensor that is converted while it is read

at::ScalarType parse_dtype(const std::string& name, const std::string& where) {
  if (name == "F32") return at::kFloat;
  if (name == "BF16") return at::kBFloat16;
  if (name == "F16") return at::kHalf;
  if (name == "F64") return at::kDouble;
  if (name == "I16") return at::kShort;
  if (name == "I32") return at::kInt;
  if (name == "I64") return at::kLong;
  if (name == "U8") return at::kByte;
  if (name == "BOOL") return at::kBool;
  fail("BAD_CHECKPOINT", "[", where, "] data type ", name, " is not supported");
}

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat: return "F32";
    case at::kBFloat16: return "BF16";
    case at::kShort: return "I16";
    case at::kInt: return "I32";
    case at::kLong: return "I64";
    case at::kByte: return "U8";
    default: fail("BAD_DTYPE", "[safetensors] cannot write data type ", at::toString(dtype));
  }
}

class OutputFile {
 public:
  explicit OutputFile(const std::string& path) : path_(path), temporary_(path + ".tmp") {
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) io_error("create");
  }
  ~OutputFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
  void write(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t done = ::write(fd_, at, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) io_error("write");
      at += done;
      bytes -= static_cast<size_t>(done);
    }
  }
  void commit() {
    if (::fsync(fd_) != 0) io_error("sync");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) io_error("rename");
    ::close(fd_);
    fd_ = -1;
  }

 private:
  [[noreturn]] void io_error(const char* verb) const {
    fail("IO", "[", path_, "] cannot ", verb, ": ", std::strerror(errno));
  }
  std::string path_, temporary_;
  int fd_ = -1;
};

std::string header_json(const NamedTensors& tensors, const std::map<std::string, std::string>& metadata) {
  std::string json = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (json.back() != '{') json += ",";
    json += json_quote(key) + ":" + json_quote(value);
  }
  json += "}";
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    std::string shape;
    for (const int64_t size : tensor.sizes()) shape += (shape.empty() ? "" : ",") + std::to_string(size);
    const size_t end = offset + tensor.nbytes();
    json += "," + json_quote(name) + ":{\"dtype\":\"" + dtype_name(tensor.scalar_type()) + "\",\"shape\":[" + shape +
            "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}

}  // namespace

InputFile::InputFile(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  VS_CHECK(descriptor_ >= 0, "BAD_CHECKPOINT", "[", path, "] cannot be opened: ", std::strerror(errno));
}

InputFile::~InputFile() { ::close(descriptor_); }

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(path) {
  struct stat info {};
  ::fstat(file_.descriptor(), &info);
  const auto size = static_cast<size_t>(info.st_size);
  VS_CHECK(size >= 8, "BAD_CHECKPOINT", "[", path, "] is not a safetensors file: ", size, " bytes are too few");
  uint64_t header_bytes = 0;
  read_bytes(&header_bytes, 0, 8);
  VS_CHECK(header_bytes <= kMaxHeader && header_bytes + 8 <= size, "BAD_CHECKPOINT", "[", path,
           "] is not a safetensors file or is cut short: its header claims ", header_bytes, " bytes of ", size);
  std::string header(header_bytes, '\0');
  read_bytes(header.data(), 8, header_bytes);
  data_begin_ = 8 + header_bytes;
  parse_header(header, size - data_begin_);
}

void SafetensorsFile::parse_header(const std::string& text, size_t data_bytes) {
  const Json header = Json::parse(text, path_);
  std::vector<std::pair<size_t, size_t>> ranges;
  for (const auto& [name, value] : header.as_object(path_)) {
    if (name == "__metadata__") continue;
    const std::string where = path_ + ": " + name;
    const auto field = [&](const char* key) -> const Json& {
      const Json* found = value.find(key);
      VS_CHECK(found, "BAD_CHECKPOINT", "[", where, "] has no ", key);
      return *found;
    };
    Entry entry{parse_dtype(field("dtype").as_string(where), where), {}, 0, 0};
    size_t bytes = c10::elementSize(entry.dtype);
    for (const Json& size : field("shape").as_array(where)) {
      entry.shape.push_back(size.as_integer(where));
      VS_CHECK(entry.shape.back() >= 0 && (entry.shape.back() == 0 || bytes <= (SIZE_MAX >> 1) / entry.shape.back()),
               "BAD_CHECKPOINT", "[", where, "] has an impossible shape");
      bytes *= static_cast<size_t>(entry.shape.back());
    }
    const auto& offsets = field("data_offsets").as_array(where);
    VS_CHECK(offsets.size() == 2, "BAD_CHECKPOINT", "[", where, "] expected two data_offsets");
    const int64_t begin = offsets[0].as_integer(where), end = offsets[1].as_integer(where);
    VS_CHECK(begin >= 0 && end >= begin && static_cast<size_t>(end) <= data_bytes, "BAD_CHECKPOINT", "[", where,
             "] lies outside the file: bytes ", begin, " to ", end, " of ", data_bytes, " (was the download cut short?)");
    entry.begin = static_cast<size_t>(begin);
    entry.end = static_cast<size_t>(end);
    VS_CHECK(entry.end - entry.begin == bytes, "BAD_CHECKPOINT", "[", where, "] its shape needs ", bytes, " bytes, the header gives ",
             entry.end - entry.begin);
    if (bytes > 0) ranges.emplace_back(entry.begin, entry.end);
    entries_.emplace(name, std::move(entry));
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    VS_CHECK(ranges[i].first >= ranges[i - 1].second, "BAD_CHECKPOINT", "[", path_, "] two tensors overlap at byte ", ranges[i].first);
  }
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto it = entries_.find(name);
  VS_CHECK(it != entries_.end(), "BAD_CHECKPOINT", "[", path_, "] has no tensor ", name);
  return it->second;
}

void SafetensorsFile::read_bytes(void* to, size_t from, size_t bytes) const {
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t done = ::pread(file_.descriptor(), at, bytes, static_cast<off_t>(from));
    if (done < 0 && errno == EINTR) continue;
    VS_CHECK(done >= 0, "BAD_CHECKPOINT", "[", path_, "] cannot be read: ", std::strerror(errno));
    VS_CHECK(done > 0, "BAD_CHECKPOINT", "[", path_, "] ended at byte ", from, " while it was read: it is shorter than when it was opened");
    at += done, from += static_cast<size_t>(done), bytes -= static_cast<size_t>(done);
  }
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const Entry& found = entry(name);
  at::Tensor out = at::empty(found.shape, at::TensorOptions().dtype(found.dtype));
  read_into(name, out);
  return out;
}

void SafetensorsFile::read_into(const std::string& name, const at::Tensor& to) const {
  const Entry& found = entry(name);
  const at::Tensor flat = to.view(-1);
  const size_t begin = data_begin_ + found.begin;
  if (to.is_cpu() && to.scalar_type() == found.dtype) return read_bytes(flat.mutable_data_ptr(), begin, found.end - found.begin);
  const int64_t size = c10::elementSize(found.dtype), most = kPieceBytes / size;
  const at::Tensor piece = at::empty({std::min(most, flat.numel())}, at::TensorOptions().dtype(found.dtype));
  for (int64_t first = 0; first < flat.numel(); first += most) {
    const int64_t count = std::min(most, flat.numel() - first);
    read_bytes(piece.mutable_data_ptr(), begin + static_cast<size_t>(first * size), static_cast<size_t>(count * size));
    flat.narrow(0, first, count).copy_(piece.narrow(0, 0, count));
  }
}

void write_safetensors(const std::string& path, const NamedTensors& tensors, const LastChange& change,
                       const std::map<std::string, std::string>& metadata) {
  OutputFile file(path);
  const std::string header = header_json(tensors, metadata);
  const uint64_t header_bytes = header.size();
  file.write(&header_bytes, 8);
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : tensors) {
    // One at a time, where they are a GPU's.
    const at::Tensor dense = (change ? change(name, tensor) : tensor).detach().contiguous().cpu();
    file.write(dense.data_ptr(), dense.nbytes());
  }
  file.commit();
}

}  // namespace vsgrpo
