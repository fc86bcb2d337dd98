// One forward pass kept for its backward. The graph ends at the hidden states of the target rows; the head runs once,
// either in logps() or inside backward(), fused with a built-in loss.
#pragma once
#include <variant>

#include "model/qwen2_vl.h"
#include "ops/grpo_loss.h"

namespace vsgrpo {

struct ForwardOptions {
  bool grad = false;
  bool adapter = true;
  double temperature = 1;
  bool gradient_checkpointing = false;  // see PassOptions
  bool logit_mean = false;              // whether the statistics have it
};

// Gradients from outside: d loss / d logp and, optionally, d loss / d entropy, float32 [K].
struct ExternalLoss {
  at::Tensor dlogps;
  std::optional<at::Tensor> dentropy;
};

// loss = -sum weights * logps
struct SftLoss {
  at::Tensor weights;
};

using Loss = std::variant<ExternalLoss, SftLoss, GrpoInputs>;

class Forward {
 public:
  Forward(std::shared_ptr<Qwen2VL> model, const Batch& batch, const Targets& targets, const ForwardOptions& options);

  TokenStats logps();

  struct Result {
    TokenStats stats;
    double loss;  // 0 for an external loss
  };
  // Adds to the model's gradients and drops the graph. Throws Error("NO_GRADIENT") on a forward without one or used up.
  Result backward(const Loss& loss);

 private:
  void add_logit_mean(TokenStats& stats) const;
  // The head's pass with this loss, which is per token; checks it. Gives the gradient of the hidden states.
  std::function<TokenStats(at::Tensor& d_hidden)> head_pass(const Loss& loss);

  std::shared_ptr<Qwen2VL> model_;
  at::Tensor target_ids_;
  double temperature_;
  bool logit_mean_, gradient_checkpointing_;
  std::shared_ptr<const PromptPass> prompts_;  // what the graph begins with, when generation has run it
  at::Tensor hidden_;  // [K, H] after the final norm; carries the graph
  bool has_graph_;
};

}  // namespace vsgrpo
