// The vision tower: patches -> transformer blocks (attention within each temporal patch) -> 2x2 merger -> text width.
#pragma once
#include "model/batch.h"
#include "model/config.h"
#include "model/layers.h"

namespace vsgrpo {

struct VisionBlock {
  Parameter norm1, norm1_bias, norm2, norm2_bias;
  LinearLayer qkv, proj, fc1, fc2;
};

class VisionTower {
 public:
  VisionTower(const VisionConfig& config, int64_t text_width, const at::TensorOptions& kind);

  // patches [P, C * T * 14 * 14] float32, grids (t, h, w) of each item -> [P / 4, text width].
  // With `gradient_checkpointing`, blocks keep only their inputs for the backward pass.
  at::Tensor forward(const at::Tensor& patches, const std::vector<Grid>& grids, const at::Tensor& anchor, bool gradient_checkpointing);

  void collect(NamedWeights& weights);

 private:
  at::Tensor block_forward(VisionBlock& block, const at::Tensor& x, const struct RopeTable& rope,
                           const std::shared_ptr<const struct AttentionPlan>& frames);
  at::Tensor merge(const at::Tensor& x);

  VisionConfig config_;
  LinearLayer patch_embed_;
  std::vector<VisionBlock> blocks_;
  Parameter merger_norm_, merger_norm_bias_;
  LinearLayer merger_fc1_, merger_fc2_;
};

}  // namespace vsgrpo
