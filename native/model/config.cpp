#include "model/config.h"

#include "core/check.h"
#include "core/json.h"

namespace vsgrpo {
namespace {

class Fields {
 public:
  Fields(const Json& json, std::string path, std::string prefix) : json_(json), path_(std::move(path)), prefix_(std::move(prefix)) {}

  const Json& required(const char* key) const {
    const Json* found = json_.find(key);
    VS_CHECK(found, "BAD_CHECKPOINT", "[", where(key), "] is missing: the checkpoint must state it");
    return *found;
  }
  int64_t integer(const char* key) const { return positive(required(key).as_integer(where(key)), key); }
  int64_t integer(const char* key, int64_t fallback) const { return json_.find(key) ? integer(key) : fallback; }
  double number(const char* key) const { return required(key).as_number(where(key)); }
  const Json* find(const char* key) const { return json_.find(key); }
  std::string where(const char* key) const { return path_ + ": " + prefix_ + key; }

 private:
  int64_t positive(int64_t value, const char* key) const {
    VS_CHECK(value > 0, "BAD_CHECKPOINT", "[", where(key), "] must be positive, got ", value);
    return value;
  }
  const Json& json_;
  std::string path_, prefix_;
};

VisionConfig read_vision(const Fields& f) {
  VisionConfig v{};
  v.depth = f.integer("depth");
  v.width = f.integer("embed_dim");
  v.heads = f.integer("num_heads");
  v.mlp_width = static_cast<int64_t>(static_cast<double>(v.width) * (f.find("mlp_ratio") ? f.number("mlp_ratio") : 4.0));
  v.in_channels = f.integer("in_channels", 3);
  v.patch_size = f.integer("patch_size", 14);
  v.temporal_patch_size = f.integer("temporal_patch_size", 2);
  v.merge_size = f.integer("spatial_merge_size", 2);
  VS_CHECK(v.width % v.heads == 0 && v.head_dim() % 4 == 0, "BAD_CHECKPOINT", "[", f.where("num_heads"),
           "] head width embed_dim / num_heads must be a multiple of 4, got ", v.width, " / ", v.heads);
  return v;
}

void read_rope(const Fields& text, ModelConfig& c) {
  const char* key = text.find("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json& rope = text.required(key);
  const std::string where = text.where(key);
  const Json* theta = rope.find("rope_theta");
  c.rope_theta = theta ? theta->as_number(where) : text.number("rope_theta");
  const Json* sections = rope.find("mrope_section");
  VS_CHECK(sections, "BAD_CHECKPOINT", "[", where, "] has no mrope_section: this is not a Qwen2-VL checkpoint");
  int64_t sum = 0;
  for (const Json& section : sections->as_array(where)) {
    c.mrope_section.push_back(section.as_integer(where));
    sum += c.mrope_section.back();
  }
  VS_CHECK(c.mrope_section.size() == 3 && 2 * sum == c.head_dim, "BAD_CHECKPOINT", "[", where,
           "] mrope_section must be three numbers that sum to half the head width ", c.head_dim, ", got a sum of ", sum);
}

bool is_true(const Json* value, const std::string& where) { return value && value->as_bool(where); }

}  // namespace

ModelConfig ModelConfig::read(const std::string& path) {
  const Json root = Json::read_file(path);
  const Fields top(root, path, "");
  VS_CHECK(top.required("model_type").as_string(path) == "qwen2_vl", "BAD_CHECKPOINT", "[", path, ": model_type] expected qwen2_vl, got ",
           top.required("model_type").as_string(path));
  const Json* nested = root.find("text_config");
  const Fields text(nested ? *nested : root, path, nested ? "text_config." : "");
  ModelConfig c{};
  c.hidden = text.integer("hidden_size");
  c.layers = text.integer("num_hidden_layers");
  c.heads = text.integer("num_attention_heads");
  c.kv_heads = text.integer("num_key_value_heads");
  VS_CHECK(c.hidden % c.heads == 0 && c.heads % c.kv_heads == 0, "BAD_CHECKPOINT", "[", path, "] hidden_size ", c.hidden,
           " must divide by num_attention_heads ", c.heads, ", and that by num_key_value_heads ", c.kv_heads);
  c.head_dim = c.hidden / c.heads;
  c.intermediate = text.integer("intermediate_size");
  c.vocab = text.integer("vocab_size");
  c.max_positions = text.integer("max_position_embeddings");
  c.rms_eps = text.number("rms_norm_eps");
  read_rope(text, c);
  c.tied = is_true(root.find("tie_word_embeddings"), path) || is_true(text.find("tie_word_embeddings"), path);
  c.image_token = top.integer("image_token_id");
  c.video_token = top.integer("video_token_id");
  c.vision = read_vision(Fields(top.required("vision_config"), path, "vision_config."));
  return c;
}

}  // namespace vsgrpo
