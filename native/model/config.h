// Qwen2-VL's config.json in the three layouts that exist: published flat, transformers 4.52-4.57, transformers 5.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace vsgrpo {

struct VisionConfig {
  int64_t depth, width, heads, mlp_width, in_channels, patch_size, temporal_patch_size, merge_size;
  int64_t head_dim() const { return width / heads; }
  int64_t patch_values() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int64_t merge_unit() const { return merge_size * merge_size; }
};

struct ModelConfig {
  int64_t hidden, layers, heads, kv_heads, head_dim, intermediate, vocab, max_positions;
  double rms_eps, rope_theta;
  std::vector<int64_t> mrope_section;  // (t, h, w), sums to head_dim / 2
  bool tied;
  int64_t image_token, video_token;
  VisionConfig vision;

  // A missing required field is an error: transformers' class defaults are not those of any published checkpoint.
  static ModelConfig read(const std::string& path);
};

}  // namespace vsgrpo
