// AdamW over a model's trainable parameters, fp32 moments and master weights, global-norm clipping. Equal to torch's
// fused AdamW; decay on matrices only, as transformers' Trainer groups it.
#pragma once
#include "model/qwen2_vl.h"

namespace vsgrpo {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0;
};

class AdamW {
 public:
  // `owner` keeps the parameters alive.
  AdamW(std::vector<std::pair<std::string, Parameter*>> parameters, const AdamWOptions& options, std::shared_ptr<void> owner = {});

  // Clips the gradients to `max_norm` (0 = off), updates, clears them; returns the norm before clipping.
  // Throws Error("NUMERICS") when the norm is not finite: the weights stay, the gradients are cleared.
  double step(double lr, double max_norm);

  void save(const std::string& path) const;
  // Throws Error("BAD_CHECKPOINT") unless the file holds the state of the same parameters.
  void load(const std::string& path);

 private:
  struct State {
    std::string name;
    Parameter* parameter;
    at::Tensor master;  // the parameter itself where it is float32
    at::Tensor m, v;
  };
  void update(State& state, double lr, double scale);

  AdamWOptions options_;
  std::shared_ptr<void> owner_;
  std::vector<State> states_;
  int64_t steps_ = 0;
};

}  // namespace vsgrpo
