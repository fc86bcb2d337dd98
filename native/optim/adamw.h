// AdamW over a model's trainable parameters, with fp32 master weights and global-norm clipping. Equal to torch's fused
// AdamW; decay on matrices only, as transformers' Trainer groups it.
#pragma once
#include "optim/adamw_step.h"
#include "optim/dynamic_map.h"

namespace vsgrpo {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0;
  // Of the moments:
  // - float32;
  // - bfloat16 with stochastic rounding (plain rounding would freeze the second moment: at beta2 0.999 it moves by less than
  //   half of bfloat16's spacing). Random bits depend on step and place only;
  // - uint8, as bitsandbytes' AdamW8bit: codes of its dynamic maps and an absmax for every 256 values, so that both moments take
  //   2.03 bytes per weight. Parameters of fewer than 4096 values stay in float32. bitsandbytes advises float32 for embeddings too,
  //   whose rows get gradients of very different sizes. They are coded here: no part of a model is larger, and rows as long as a
  //   block or longer keep frequent and rare tokens apart.
  at::ScalarType moments = at::kFloat;
  // Of the parameters' gradients, from here on: float32 or bfloat16.
  at::ScalarType gradients = at::kFloat;
};

class AdamW {
 public:
  // `owner` keeps the parameters alive.
  AdamW(std::vector<std::pair<std::string, Parameter*>> parameters, const AdamWOptions& options, std::shared_ptr<void> owner = {});

  // Clips the gradients (float32 or bfloat16) to `max_norm` (0 = off), updates, clears them; returns the norm before clipping.
  // Throws Error("NUMERICS") when the norm is not finite: the weights stay, the gradients are cleared.
  double step(double lr, double max_norm);

  // What it holds: moments, and the low bits of master weights.
  int64_t bytes() const;

  void save(const std::string& path) const;
  // Throws Error("BAD_CHECKPOINT") unless the file holds the state of the same parameters.
  void load(const std::string& path);

 private:
  struct State {
    std::string name;
    Parameter* parameter;
    // int16, for bfloat16 parameters: the bits of the fp32 master below the weight's own. The weight is the master rounded
    // to nearest, ties away from zero, so the difference fits.
    at::Tensor low;
    Moment m, v;
  };
  StepSizes sizes_for(const State& state, double lr, double scale) const;
  double step_on_gpu(double lr, double max_norm);
  // What a checkpoint holds of a parameter, by the name it has there.
  std::vector<std::pair<std::string, at::Tensor>> stored(const State& state) const;

  AdamWOptions options_;
  std::shared_ptr<void> owner_;
  std::vector<State> states_;
  DeviceMap m_map_, v_map_;  // of coded moments on a GPU
  int64_t steps_ = 0;
};

}  // namespace vsgrpo
