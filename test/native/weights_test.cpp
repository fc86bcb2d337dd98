// config.json and weight files: the layouts that load, and the message for each way in which a checkpoint can be wrong.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "golden.h"

namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Without its white space, so that parts of it can be replaced.
std::string published_config() {
  std::string text = read(golden::model_dir("tiny-a") + "/config.json");
  text.erase(std::remove_if(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c); }), text.end());
  return text;
}

// The text with its one occurrence of `from` replaced.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from + " in the text");
  return text.replace(at, from.size(), to);
}

vsgrpo::NamedTensors weights() {
  const vsgrpo::SafetensorsFile file(golden::model_dir("tiny-a") + "/model.safetensors");
  vsgrpo::NamedTensors all;
  for (const std::string& name : file.names()) all.emplace_back(name, file.read(name));
  return all;
}

// A checkpoint folder with the given config and weights.
struct Checkpoint {
  explicit Checkpoint(const vsgrpo::NamedTensors& tensors, const std::string& config = published_config()) {
    std::ofstream(folder.path() + "/config.json") << config;
    if (!tensors.empty()) vsgrpo::write_safetensors(folder.path() + "/model.safetensors", tensors);
  }
  std::shared_ptr<vsgrpo::Qwen2VL> load() const { return vsgrpo::Qwen2VL::load(folder.path(), {}); }
  golden::TemporaryFolder folder;
};

void check_logits(vsgrpo::Qwen2VL& model, const std::string& what) {
  at::NoGradGuard no_grad;
  const golden::Case c("tiny-a", "mixed");
  const at::Tensor hidden = model.decoder().final_norm(model.hidden(golden::batch_of(c), {}));
  golden::check_close(what, at::mm(hidden, model.decoder().head().value.t()), c["logits"], 1e-4);
}

}  // namespace

TEST_CASE("the layouts of config.json that transformers writes mean the same") {
  const std::string flat = published_config();
  const std::string text_fields =
      "\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"intermediate_size\":80,"
      "\"vocab_size\":163,\"max_position_embeddings\":32768,\"rms_norm_eps\":1e-06,";
  const std::string vision = flat.substr(flat.find("\"vision_config\""), flat.find("\"rope_scaling\"") - flat.find("\"vision_config\""));
  const std::string tokens = "{\"model_type\":\"qwen2_vl\",\"image_token_id\":155,\"video_token_id\":156,";
  const std::string nested = "\"model_type\":\"qwen2_vl_text\",\"rope_parameters\":{\"rope_type\":\"default\",\"type\":\"mrope\","
                             "\"rope_theta\":1000000.0,\"mrope_section\":[2,3,3]},\"sliding_window\":null}}";
  check_logits(*Checkpoint(weights(), tokens + vision + "\"tie_word_embeddings\":true,\"text_config\":{" + text_fields + nested).load(),
               "transformers 5 config");
  const std::string middle = "\"rope_theta\":1000000.0,\"tie_word_embeddings\":true,\"rope_scaling\":{\"rope_type\":\"default\","
                             "\"type\":\"default\",\"mrope_section\":[2,3,3]}";
  check_logits(*Checkpoint(weights(), tokens + vision + text_fields + middle + ",\"text_config\":{" + text_fields + middle + "}}").load(),
               "transformers 4.57 config");
}

TEST_CASE("a field that config.json must state is named when it is missing or wrong") {
  const std::string flat = published_config();
  const auto says = [&](const std::string& config, const char* part) { CHECK_THROWS_WITH(Checkpoint(weights(), config).load(), part); };
  for (const char* field : {"hidden_size\":64,\"init", "num_hidden_layers", "num_key_value_heads", "intermediate_size", "vocab_size",
                            "rms_norm_eps", "rope_theta", "rope_scaling", "image_token_id", "model_type", "embed_dim", "depth"}) {
    const std::string name = std::string(field).substr(0, std::string(field).find('"'));
    says(replaced(flat, std::string("\"") + field, std::string("\"no_") + field), name.c_str());
  }
  says(replaced(flat, "\"qwen2_vl\"", "\"llama\""), "expected qwen2_vl, got llama");
  says(replaced(flat, "\"mrope_section\"", "\"section\""), "mrope_section");
  says(replaced(flat, "[2,3,3]", "[2,3,4]"), "sum");
  says(replaced(flat, "\"vocab_size\":163", "\"vocab_size\":-1"), "positive");
  says(replaced(flat, "\"vocab_size\":163", "\"vocab_size\":\"163\""), "vocab_size");
  says("{", "config.json");
}

TEST_CASE("in-memory tensor names and shards load as the published file does") {
  vsgrpo::NamedTensors renamed;
  for (auto& [name, tensor] : weights()) {
    const bool vision = name.rfind("visual.", 0) == 0;
    renamed.emplace_back(vision ? "model." + name : "model.language_model." + name.substr(6), tensor);
  }
  renamed.emplace_back("lm_head.weight", at::zeros({163, 64}));  // tied: what the file says is ignored
  check_logits(*Checkpoint(renamed).load(), "new names");

  const Checkpoint sharded({});
  const vsgrpo::NamedTensors all = weights();
  std::string map;
  for (int shard = 0; shard < 3; ++shard) {
    const std::string file = "model-0000" + std::to_string(shard + 1) + "-of-00003.safetensors";
    vsgrpo::NamedTensors part;
    for (size_t i = static_cast<size_t>(shard); i < all.size(); i += 3) {
      part.push_back(all[i]);
      map += (map.empty() ? "" : ",") + std::string("\"") + all[i].first + "\":\"" + file + "\"";
    }
    vsgrpo::write_safetensors(sharded.folder.path() + "/" + file, part);
  }
  std::ofstream(sharded.folder.path() + "/model.safetensors.index.json") << "{\"weight_map\":{" << map << "}}";
  check_logits(*sharded.load(), "three shards");
  fs::remove(sharded.folder.path() + "/model-00002-of-00003.safetensors");
  CHECK_THROWS_WITH(sharded.load(), "model-00002-of-00003.safetensors");
}

TEST_CASE("missing, unexpected, mis-shaped and mis-typed tensors are each named") {
  const auto says = [&](const std::function<void(vsgrpo::NamedTensors&)>& spoil, const char* part) {
    vsgrpo::NamedTensors tensors = weights();
    spoil(tensors);
    CHECK_THROWS_WITH(Checkpoint(tensors).load(), part);
  };
  says([](auto& t) { t.erase(t.begin()); }, "missing tensor model.embed_tokens.weight");
  says([](auto& t) { t.emplace_back("model.layers.2.mlp.up_proj.weight", at::zeros({80, 64})); },
       "unexpected tensor model.layers.2.mlp.up_proj.weight");
  says([](auto& t) { t[0].second = at::zeros({163, 63}); }, "[163, 64]");
  says([](auto& t) { t[0].second = at::zeros({163, 64}, at::kInt); }, "floating point");
  says([](auto& t) { t.clear(); }, "model.safetensors");
}

TEST_CASE("what is saved is what was loaded, under the published names") {
  const golden::TemporaryFolder folder;
  golden::load("tiny-b")->save_weights(folder.path());
  const vsgrpo::SafetensorsFile saved(folder.path() + "/model.safetensors"), original(golden::model_dir("tiny-b") + "/model.safetensors");
  CHECK(saved.names() == original.names());
  for (const std::string& name : original.names()) {
    CHECK_MESSAGE(saved.read(name).sizes() == original.read(name).sizes() && saved.read(name).equal(original.read(name)), name);
  }
}
