// Safetensors files: u64 header length, JSON header, raw little-endian data. Reading copies, never maps: a mapped file that
// somebody cuts short ends the process. Writing streams to a temporary name, syncs and renames, so that no half-written file
// ever has the final name.
#pragma once
#include "core/pch.h"

#include <map>
#include <utility>

namespace vsgrpo {

// A file's descriptor, closed with it.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

class SafetensorsFile {
 public:
  // Validates the whole header. Throws Error("BAD_CHECKPOINT") that names the file, the tensor and what is wrong.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  at::ScalarType dtype(const std::string& name) const { return entry(name).dtype; }
  at::IntArrayRef shape(const std::string& name) const { return entry(name).shape; }
  // A tensor of its own. Throws Error("BAD_CHECKPOINT") where the file has become shorter since it was opened.
  at::Tensor read(const std::string& name) const;
  // The same into a contiguous tensor of that shape, of any type and device, a piece at a time.
  void read_into(const std::string& name, const at::Tensor& to) const;

 private:
  struct Entry {
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    size_t begin, end;  // relative to data_begin_
  };

  void parse_header(const std::string& text, size_t data_bytes);
  const Entry& entry(const std::string& name) const;
  void read_bytes(void* to, size_t from, size_t bytes) const;

  std::string path_;
  InputFile file_;
  size_t data_begin_ = 0;
  std::map<std::string, Entry> entries_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// What is written in a tensor's place, of the same shape and type: made when its turn comes, so that one at a time is in memory.
using LastChange = std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>;

// Writes in the given order. Throws Error("IO") with the system's reason (a full disk, say); the old file stays.
void write_safetensors(const std::string& path, const NamedTensors& tensors, const LastChange& change = {},
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace vsgrpo
