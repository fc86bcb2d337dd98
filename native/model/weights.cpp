#include "model/weights.h"

#include <filesystem>
#include <map>
#include <set>

#include "core/check.h"
#include "core/json.h"

namespace vsgrpo {
namespace {

namespace fs = std::filesystem;

bool strip(std::string& name, const std::string& prefix) {
  if (name.rfind(prefix, 0) != 0) return false;
  name.erase(0, prefix.size());
  return true;
}

// model.language_model.X -> model.X, model.visual.X -> visual.X: the in-memory names of transformers >= 4.52.
std::string published_name(std::string name) {
  if (strip(name, "model.language_model.")) return "model." + name;
  if (strip(name, "model.visual.")) return "visual." + name;
  return name;
}

// Adapters keep PEFT's names, whichever module path they were saved under.
std::string adapter_name(std::string name) {
  strip(name, "base_model.model.");
  return "base_model.model.model.language_model." + published_name(name).substr(std::string("model.").size());
}

std::vector<std::string> files_of(const std::string& dir, const std::string& file) {
  if (fs::exists(dir + "/" + file)) return {dir + "/" + file};
  const std::string index_path = dir + "/" + file + ".index.json";
  VS_CHECK(fs::exists(index_path), "BAD_CHECKPOINT", "[", dir, "] has neither ", file, " nor ", file, ".index.json");
  const Json index = Json::read_file(index_path);
  const Json* map = index.find("weight_map");
  VS_CHECK(map, "BAD_CHECKPOINT", "[", index_path, "] has no weight_map");
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map->as_object(index_path)) names.insert(dir + "/" + shard.as_string(index_path));
  return {names.begin(), names.end()};
}

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

}  // namespace

void load_weights(const std::string& dir, const std::string& file, const NamedWeights& weights, bool tied) {
  const bool adapter = file.rfind("adapter", 0) == 0;
  std::map<std::string, const NamedWeight*> wanted;
  for (const NamedWeight& weight : weights) wanted.emplace(weight.name, &weight);
  for (const std::string& path : files_of(dir, file)) {
    const SafetensorsFile source(path);
    for (const std::string& stored : source.names()) {
      const std::string name = adapter ? adapter_name(stored) : published_name(stored);
      if (tied && name == "lm_head.weight") continue;
      const auto it = wanted.find(name);
      VS_CHECK(it != wanted.end(), "BAD_CHECKPOINT", "[", path, "] unexpected tensor ", stored, ": not part of this Qwen2-VL's config.json");
      VS_CHECK(source.shape(stored) == at::IntArrayRef(it->second->shape), "BAD_CHECKPOINT", "[", path, "] tensor ", stored, ": expected shape ",
               shape_text(it->second->shape), ", got ", shape_text(source.shape(stored)));
      VS_CHECK(at::isFloatingType(source.dtype(stored)), "BAD_CHECKPOINT", "[", path, "] tensor ", stored, ": expected floating point, got ",
               at::toString(source.dtype(stored)));
      source.read_into(stored, it->second->view());
      wanted.erase(it);
    }
  }
  VS_CHECK(wanted.empty(), "BAD_CHECKPOINT", "[", dir, "] missing tensor ", wanted.begin()->first,
           wanted.size() > 1 ? " and " + std::to_string(wanted.size() - 1) + " more" : "", ": the checkpoint is incomplete");
}

void write_weights(const std::string& path, const NamedWeights& weights, const LastChange& change) {
  NamedTensors tensors;
  for (const NamedWeight& weight : weights) tensors.emplace_back(weight.name, weight.view());
  write_safetensors(path, tensors, change);
}

}  // namespace vsgrpo
