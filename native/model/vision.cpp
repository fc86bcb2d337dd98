#include "model/vision.h"

#include <array>

#include "core/buckets.h"
#include "core/check.h"
#include "core/forest.h"
#include "core/gpu.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/gradient_checkpointing.h"
#include "ops/norm.h"
#include "ops/rope.h"

namespace vsgrpo {
namespace {

constexpr double kNormEps = 1e-6;

// (row, col) of every patch, in merge-group order, repeated for each temporal patch.
std::pair<at::Tensor, at::Tensor> patch_coordinates(const std::vector<Grid>& grids, int64_t merge) {
  std::vector<float> rows, cols;
  for (const auto& [t, h, w] : grids) {
    for (int64_t frame = 0; frame < t; ++frame) {
      for (int64_t y = 0; y < h; y += merge) {
        for (int64_t x = 0; x < w; x += merge) {
          for (int64_t i = 0; i < merge * merge; ++i) {
            rows.push_back(static_cast<float>(y + i / merge));
            cols.push_back(static_cast<float>(x + i % merge));
          }
        }
      }
    }
  }
  return {at::tensor(rows), at::tensor(cols)};
}

// Every temporal patch of every item attends to itself alone.
Forest frame_segments(const std::vector<Grid>& grids) {
  std::vector<int64_t> lengths;
  for (const auto& [t, h, w] : grids) lengths.insert(lengths.end(), static_cast<size_t>(t), h * w);
  return Forest::roots(lengths);
}

}  // namespace

VisionTower::VisionTower(const VisionConfig& c, int64_t text_width, const at::TensorOptions& kind) : config_(c) {
  patch_embed_ = empty_linear(c.width, c.patch_values(), false, kind);
  for (int64_t i = 0; i < c.depth; ++i) {
    blocks_.push_back({empty_parameter({c.width}, kind), empty_parameter({c.width}, kind), empty_parameter({c.width}, kind), empty_parameter({c.width}, kind),
                       empty_linear(3 * c.width, c.width, true, kind), empty_linear(c.width, c.width, true, kind),
                       empty_linear(c.mlp_width, c.width, true, kind), empty_linear(c.width, c.mlp_width, true, kind)});
  }
  const int64_t merged = c.width * c.merge_unit();
  merger_norm_ = empty_parameter({c.width}, kind);
  merger_norm_bias_ = empty_parameter({c.width}, kind);
  merger_fc1_ = empty_linear(merged, merged, true, kind);
  merger_fc2_ = empty_linear(text_width, merged, true, kind);
}

at::Tensor VisionTower::forward(const at::Tensor& patches, const std::vector<Grid>& grids, const at::Tensor& anchor,
                                bool gradient_checkpointing) {
  const auto [rows, cols] = patch_coordinates(grids, config_.merge_size);
  VS_CHECK(patches.size(0) == rows.size(0), "BAD_SHAPE", "[vision] the grids describe ", rows.size(0), " patches, got ", patches.size(0));
  const at::Device device = patch_embed_.weight.value.device();
  const auto frames = plan_attention(frame_segments(grids), 0, /*causal=*/false, device);
  const int64_t unit = config_.merge_unit(), padding = padded_rows(patches.size(0) / unit, patch_embed_.weight.value) * unit - patches.size(0);
  const auto padded = [&](const at::Tensor& t) {
    return at::constant_pad_nd(upload(t, device), t.dim() == 1 ? at::IntArrayRef{0, padding} : at::IntArrayRef{0, 0, 0, padding});
  };
  const RopeTable rope = vision_rope_table(padded(rows), padded(cols), config_.head_dim());
  at::Tensor x = patch_embed_.forward(padded(patches).to(patch_embed_.weight.value.scalar_type()), false, anchor);
  for (VisionBlock& block : blocks_) {
    const auto run = [this, &block, rope, frames](const at::Tensor& h) { return block_forward(block, h, rope, frames); };
    x = gradient_checkpointing ? recomputed(x, run) : run(x);
  }
  return merge(x).narrow(0, 0, patches.size(0) / unit);
}

at::Tensor VisionTower::block_forward(VisionBlock& b, const at::Tensor& x, const RopeTable& rope,
                                      const std::shared_ptr<const AttentionPlan>& frames) {
  const Qkv qkv = split_and_rotate(b.qkv.forward(layer_norm(x, b.norm1, b.norm1_bias, kNormEps), false), rope, config_.heads, config_.heads);
  const at::Tensor h = x + b.proj.forward(forest_attention(qkv.q, qkv.k, qkv.v, frames), false);
  return h + b.fc2.forward(quick_gelu(b.fc1.forward(layer_norm(h, b.norm2, b.norm2_bias, kNormEps), false)), false);
}

at::Tensor VisionTower::merge(const at::Tensor& x) {
  const at::Tensor grouped = layer_norm(x, merger_norm_, merger_norm_bias_, kNormEps).view({-1, config_.width * config_.merge_unit()});
  return merger_fc2_.forward(at::gelu(merger_fc1_.forward(grouped, false)), false);
}

void VisionTower::collect(NamedWeights& weights) {
  const auto add = [&](const std::string& name, Parameter& p) { weights.push_back({name, &p, 0, p.value.sizes().vec()}); };
  const auto add_linear = [&](const std::string& name, LinearLayer& layer) {
    add(name + ".weight", layer.weight);
    add(name + ".bias", *layer.bias);
  };
  const VisionConfig& c = config_;
  weights.push_back({"visual.patch_embed.proj.weight", &patch_embed_.weight, 0,
                   {c.width, c.in_channels, c.temporal_patch_size, c.patch_size, c.patch_size}});
  for (size_t i = 0; i < blocks_.size(); ++i) {
    VisionBlock& b = blocks_[i];
    const std::string name = "visual.blocks." + std::to_string(i) + ".";
    add(name + "norm1.weight", b.norm1);
    add(name + "norm1.bias", b.norm1_bias);
    add(name + "norm2.weight", b.norm2);
    add(name + "norm2.bias", b.norm2_bias);
    add_linear(name + "attn.qkv", b.qkv);
    add_linear(name + "attn.proj", b.proj);
    add_linear(name + "mlp.fc1", b.fc1);
    add_linear(name + "mlp.fc2", b.fc2);
  }
  add("visual.merger.ln_q.weight", merger_norm_);
  add("visual.merger.ln_q.bias", merger_norm_bias_);
  add_linear("visual.merger.mlp.0", merger_fc1_);
  add_linear("visual.merger.mlp.2", merger_fc2_);
}

}  // namespace vsgrpo
