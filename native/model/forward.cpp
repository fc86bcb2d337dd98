#include "model/forward.h"

#include "core/check.h"
#include "ops/logit_mean.h"
#include "ops/logits_memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace vsgrpo {
namespace {

// The logits' memory and free blocks between used ones go back to the operating system: they would stand beside what a pass
// keeps. Costs the time to get their pages anew, so only where memory counts more.
void give_back_memory() {
  logits_memory()->reset();
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void check_length(const at::Tensor& values, int64_t targets, const char* name) {
  VS_CHECK(values.numel() == targets, "BAD_SHAPE", "[backward] ", name, ": expected ", targets, " values, got ", values.numel());
}

void check_external(const ExternalLoss& loss, int64_t targets) {
  check_length(loss.dlogps, targets, "dlogps");
  if (loss.dentropy) check_length(*loss.dentropy, targets, "dentropy");
}

TokenLoss external_loss(const ExternalLoss& loss, int64_t targets) {
  check_external(loss, targets);
  return [loss](int64_t k, float, float) {
    return TokenGradient{loss.dlogps.const_data_ptr<float>()[k], loss.dentropy ? loss.dentropy->const_data_ptr<float>()[k] : 0.0f};
  };
}

TokenLoss sft_loss(const SftLoss& loss, int64_t targets) {
  check_length(loss.weights, targets, "weights");
  return [loss](int64_t k, float, float) { return TokenGradient{-loss.weights.const_data_ptr<float>()[k], 0.0f}; };
}

TokenLoss token_loss(const Loss& loss, int64_t targets) {
  if (const auto* external = std::get_if<ExternalLoss>(&loss)) return external_loss(*external, targets);
  if (const auto* sft = std::get_if<SftLoss>(&loss)) return sft_loss(*sft, targets);
  return grpo_loss(std::get<GrpoInputs>(loss), targets);
}

DeviceTokenLoss device_loss(const Loss& loss, int64_t targets, at::Device device) {
  if (const auto* grpo = std::get_if<GrpoInputs>(&loss)) return grpo_loss_on(*grpo, targets, device);
  DeviceTokenLoss arrays;
  if (const auto* external = std::get_if<ExternalLoss>(&loss)) {
    check_external(*external, targets);
    arrays.dlogps = upload(external->dlogps, device);
    if (external->dentropy) arrays.dentropy = upload(*external->dentropy, device);
  } else {
    const auto& sft = std::get<SftLoss>(loss);
    check_length(sft.weights, targets, "weights");
    arrays.dlogps = upload(sft.weights.neg(), device);
  }
  return arrays;
}

double loss_value(const Loss& loss, const TokenStats& stats) {
  if (const auto* sft = std::get_if<SftLoss>(&loss)) return -at::dot(sft->weights.to(at::kDouble), stats.logps.to(at::kDouble)).item<double>();
  if (const auto* grpo = std::get_if<GrpoInputs>(&loss)) return grpo_value(*grpo, stats).loss;
  return 0;
}

// A loss over whole sequences as gradients per token: what it needs of the other tokens comes from a pass of its own.
Loss unfold(const Loss& loss, const std::function<TokenStats()>& stats) {
  const auto* grpo = std::get_if<GrpoInputs>(&loss);
  if (!grpo || is_per_token(*grpo)) return loss;
  ExternalLoss gradients{grpo_value(*grpo, stats()).dlogps, {}};
  if (grpo->entropy_bonus) gradients.dentropy = grpo->entropy_bonus->neg();
  return gradients;
}

}  // namespace

Forward::Forward(std::shared_ptr<Qwen2VL> model, const Batch& batch, const Targets& targets, const ForwardOptions& options)
    : model_(std::move(model)), target_ids_(targets.ids), temperature_(options.temperature), logit_mean_(options.logit_mean),
      gradient_checkpointing_(options.gradient_checkpointing), has_graph_(options.grad) {
  VS_CHECK(!options.grad || model_->options().trainable, "NO_GRADIENT", "[forward] the model was loaded without gradients (trainable: false)");
  const int64_t n = batch.ids.size(0), k = targets.rows.size(0);
  VS_CHECK(targets.ids.size(0) == k, "BAD_SHAPE", "[forward] expected ", k, " target ids, got ", targets.ids.size(0));
  VS_CHECK(k == 0 || (targets.rows.min().item<int64_t>() >= 0 && targets.rows.max().item<int64_t>() < n), "BAD_SHAPE",
           "[forward] target rows must lie in [0, ", n, ")");
  if (gradient_checkpointing_) give_back_memory();
  at::AutoGradMode mode(options.grad);
  PassOptions pass{options.adapter, options.grad, options.grad && options.gradient_checkpointing};
  if (options.grad) prompts_ = model_->take_prompts(batch, targets.rows);
  // Layers that are run again for the backward pass know their own input only, not the prompts'.
  if (options.gradient_checkpointing || !options.adapter) prompts_.reset();
  if (!prompts_) pass.rows = targets.rows;
  hidden_ = model_->decoder().final_norm(prompts_ ? model_->hidden_after(*prompts_, batch, targets.rows, pass) : model_->hidden(batch, pass));
}

TokenStats Forward::logps() {
  at::NoGradGuard no_grad;
  TokenStats stats = token_logps(hidden_.detach(), model_->decoder().head(), target_ids_, temperature_);
  add_logit_mean(stats);
  return stats.cpu();
}

void Forward::add_logit_mean(TokenStats& stats) const {
  if (logit_mean_) stats.logit_mean = logit_mean(hidden_.detach(), model_->decoder().head().value);
}

std::function<TokenStats(at::Tensor&)> Forward::head_pass(const Loss& loss) {
  const at::Tensor hidden = hidden_.detach();
  const auto run = [this, hidden](const auto& per_token) {
    return [this, hidden, per_token](at::Tensor& d_hidden) {
      return token_logps_backward(hidden, model_->decoder().head(), target_ids_, temperature_, per_token, d_hidden);
    };
  };
  const int64_t targets = target_ids_.size(0);
  if (on_gpu(hidden)) return run(device_loss(loss, targets, hidden.device()));
  return run(token_loss(loss, targets));
}

Forward::Result Forward::backward(const Loss& loss) {
  VS_CHECK(has_graph_, "NO_GRADIENT", "[backward] this forward pass has no gradients: it ran with grad false, or backward was called before");
  const Loss per_token = unfold(loss, [&] { return logps(); });
  const auto head = head_pass(per_token);
  has_graph_ = false;
  at::Tensor d_hidden;
  TokenStats stats;
  {
    at::NoGradGuard no_grad;
    stats = head(d_hidden);
    add_logit_mean(stats);
  }
  if (gradient_checkpointing_) give_back_memory();
  torch::autograd::backward({hidden_}, {d_hidden});
  hidden_ = hidden_.detach();
  prompts_.reset();
  // Last: a GPU is waited for once, when all its work is in its queue.
  stats = stats.cpu();
  return {stats, loss_value(loss, stats)};
}

}  // namespace vsgrpo
