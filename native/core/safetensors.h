// Safetensors files: u64 header length, JSON header, raw little-endian data. Reading maps the file; writing streams to a
// temporary name, syncs and renames, so that no half-written file ever has the final name.
#pragma once
#include "core/pch.h"

#include <map>
#include <utility>

namespace vsgrpo {

class SafetensorsFile {
 public:
  // Validates the whole header. Throws Error("BAD_CHECKPOINT") that names the file, the tensor and what is wrong.
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  // A view of the mapping: valid while this object lives, never written to.
  at::Tensor view(const std::string& name) const;
  // Lets the kernel drop the pages of a tensor that has been copied.
  void release(const std::string& name) const;

 private:
  struct Entry {
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    size_t begin, end;  // relative to data_
  };

  void parse_header(size_t header_bytes);
  const Entry& entry(const std::string& name) const;

  std::string path_;
  char* map_ = nullptr;
  size_t size_ = 0;
  const char* data_ = nullptr;
  std::map<std::string, Entry> entries_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// What is written in a tensor's place, of the same shape and type: made when its turn comes, so that one at a time is in memory.
using LastChange = std::function<at::Tensor(const std::string& name, const at::Tensor& tensor)>;

// Writes in the given order. Throws Error("IO") with the system's reason (a full disk, say); the old file stays.
void write_safetensors(const std::string& path, const NamedTensors& tensors, const LastChange& change = {},
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace vsgrpo
