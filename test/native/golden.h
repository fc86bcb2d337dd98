// What the tests against Hugging Face transformers share: reading test/parity/fixtures (see test/parity/README.md), batches
// from their tensors, comparisons that print the differences they measured.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "check.h"
#include "core/safetensors.h"
#include "model/qwen2_vl.h"

namespace golden {

inline std::string root() {
  // This file's own folder, unless the tests moved since they were built.
  const char* moved = std::getenv("VSGRPO_PARITY_FIXTURES");
  if (moved) return moved;
  return (std::filesystem::path(__FILE__).parent_path().parent_path() / "parity" / "fixtures").string();
}

// One case's tensors, copied out of the file.
class Case {
 public:
  Case(const std::string& model, const std::string& name)
      : name_(model.empty() ? name : model + "/" + name),
        file_(std::make_shared<vsgrpo::SafetensorsFile>(root() + "/" + name_ + ".safetensors")) {}

  const std::string& name() const { return name_; }
  bool has(const std::string& tensor) const { return file_->has(tensor); }
  std::vector<std::string> names() const { return file_->names(); }
  at::Tensor operator[](const std::string& tensor) const { return file_->read(tensor); }
  at::Tensor floats(const std::string& tensor) const { return (*this)[tensor].to(at::kFloat); }
  double scalar(const std::string& tensor) const { return floats(tensor).item<double>(); }

 private:
  std::string name_;
  std::shared_ptr<vsgrpo::SafetensorsFile> file_;
};

inline std::string model_dir(const std::string& model) { return root() + "/" + model; }

inline std::shared_ptr<vsgrpo::Qwen2VL> load(const std::string& model, bool trainable = false, at::ScalarType dtype = at::kFloat) {
  vsgrpo::ModelOptions options;
  options.dtype = dtype;
  options.trainable = trainable;
  return vsgrpo::Qwen2VL::load(model_dir(model), options);
}

// An empty folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "vsgrpo-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("cannot create " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The media of a case. Patches are stored as bfloat16, which holds them exactly.
inline void add_media(const Case& c, vsgrpo::Batch& batch) {
  batch.patches = c.floats("patches");
  const at::Tensor grids = c["grids"];
  for (int64_t i = 0; i < grids.size(0); ++i) {
    const int* g = grids.const_data_ptr<int>() + 3 * i;
    batch.grids.push_back({g[0], g[1], g[2]});
  }
}

// The case's sequence as one segment.
inline vsgrpo::Batch batch_of(const Case& c) {
  vsgrpo::Batch batch;
  batch.ids = c["input_ids"];
  batch.positions = c["positions"];
  batch.forest = vsgrpo::Forest::roots({batch.ids.size(0)});
  add_media(c, batch);
  return batch;
}

inline vsgrpo::Targets targets_of(const Case& c) { return {c["target_rows"].to(at::kLong), c["target_ids"]}; }

// A shared prompt and its completions: the prompt as root, every completion without its last token as a child of it.
struct Group {
  vsgrpo::Batch batch;
  vsgrpo::Targets targets;
};

inline at::Tensor int_tensor(const std::vector<int>& values) { return at::tensor(values, at::kInt); }

inline Group group_of(const Case& c) {
  const at::Tensor prompt = c["input_ids"], completions = c["completion_ids"], offsets = c["completion_offsets"];
  const int64_t length = prompt.size(0), groups = offsets.size(0) - 1;
  const int* offset = offsets.const_data_ptr<int>();
  const int next = c["next_position"].item<int>();
  std::vector<int> positions;
  std::vector<int64_t> rows;
  Group g;
  g.batch.forest = {{0, length}, {-1}};
  std::vector<at::Tensor> ids{prompt};
  for (int64_t i = 0; i < groups; ++i) {
    const int64_t tokens = offset[i + 1] - offset[i], begin = g.batch.forest.rows();
    ids.push_back(completions.narrow(0, offset[i], tokens - 1));
    rows.push_back(length - 1);
    for (int64_t t = 0; t + 1 < tokens; ++t) {
      positions.push_back(next + static_cast<int>(t));
      rows.push_back(begin + t);
    }
    g.batch.forest.offsets.push_back(begin + tokens - 1);
    g.batch.forest.parents.push_back(0);
  }
  const at::Tensor tail = int_tensor(positions);
  g.batch.ids = at::cat(ids);
  g.batch.positions = at::cat({c["positions"], at::stack({tail, tail, tail})}, 1);
  add_media(c, g.batch);
  g.targets = {at::tensor(rows, at::kLong), completions};
  return g;
}

// The same sequences without sharing: every prompt + completion as a segment of its own, media repeated.
inline Group separate_group_of(const Case& c) {
  const at::Tensor prompt = c["input_ids"], completions = c["completion_ids"], offsets = c["completion_offsets"];
  const int64_t length = prompt.size(0), groups = offsets.size(0) - 1;
  const int next = c["next_position"].item<int>();
  std::vector<at::Tensor> ids, positions, patches;
  std::vector<int64_t> lengths, rows;
  Group g;
  int64_t begin = 0;
  for (int64_t i = 0; i < groups; ++i) {
    const int64_t first = offsets[i].item<int64_t>(), tokens = offsets[i + 1].item<int64_t>() - first;
    const at::Tensor tail = at::arange(next, next + tokens - 1, at::kInt);
    ids.insert(ids.end(), {prompt, completions.narrow(0, first, tokens - 1)});
    positions.push_back(at::cat({c["positions"], at::stack({tail, tail, tail})}, 1));
    vsgrpo::Batch media;
    add_media(c, media);
    patches.push_back(media.patches);
    g.batch.grids.insert(g.batch.grids.end(), media.grids.begin(), media.grids.end());
    for (int64_t t = 0; t < tokens; ++t) rows.push_back(begin + length - 1 + t);
    lengths.push_back(length + tokens - 1);
    begin += lengths.back();
  }
  g.batch.ids = at::cat(ids);
  g.batch.positions = at::cat(positions, 1).contiguous();
  g.batch.patches = at::cat(patches);
  g.batch.forest = vsgrpo::Forest::roots(lengths);
  g.targets = {at::tensor(rows, at::kLong), completions};
  return g;
}

inline double max_abs(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0.0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// || a - b || / || b ||, with a floor of 1e-7 under the difference.
inline double relative(const at::Tensor& a, const at::Tensor& b) {
  const double difference = (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>();
  const double size = b.to(at::kDouble).norm().item<double>();
  return difference <= 1e-7 ? 0.0 : difference / size;
}

inline bool verbose() { return std::getenv("VSGRPO_VERBOSE") != nullptr; }

// Fails unless every element is within `tolerance`; prints the largest difference found.
inline void check_close(const std::string& what, const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
  if (actual.sizes() != expected.sizes()) FAIL(what << ": shape " << actual.sizes() << ", expected " << expected.sizes());
  const double difference = max_abs(actual, expected);
  MESSAGE(what << ": max |difference| " << difference << " (values up to "
               << (expected.numel() ? expected.to(at::kFloat).abs().max().item<double>() : 0.0) << ")");
  CHECK_MESSAGE(difference <= tolerance, what << " differs by " << difference << ", allowed " << tolerance);
}

// Compares every gradient that the case holds under `grad.` with the weights' gradients, relative to its norm; prints the worst.
inline void check_gradients(const Case& c, const vsgrpo::NamedWeights& weights, double tolerance) {
  double worst = 0;
  std::string worst_name;
  int compared = 0;
  for (const vsgrpo::NamedWeight& weight : weights) {
    const std::string key = "grad." + weight.name;
    if (!c.has(key)) continue;
    if (!weight.parameter->trainable()) FAIL(weight.name << " has no gradient");
    const at::Tensor actual = weight.parameter->grad.narrow(0, weight.offset, weight.shape[0]).view(c[key].sizes());
    const double difference = relative(actual, c[key]);
    if (verbose()) MESSAGE(weight.name << ": relative " << difference << ", max " << max_abs(actual, c[key]));
    CHECK_MESSAGE(difference <= tolerance, c.name() << ": gradient of " << weight.name << " is off by " << difference);
    if (difference >= worst) worst = difference, worst_name = weight.name;
    ++compared;
  }
  int expected = 0;
  for (const std::string& name : c.names()) expected += name.rfind("grad.", 0) == 0;
  CHECK_EQ(compared, expected);
  MESSAGE(c.name() << ": " << compared << " gradients, worst relative difference " << worst << " (" << worst_name << ")");
}

inline void zero_gradients(vsgrpo::Qwen2VL& model) {
  for (auto& [name, parameter] : model.trainable()) parameter->grad.zero_();
}

}  // namespace golden
