// Qwen2-VL: vision tower, decoder and head assembled; checkpoints in Hugging Face's layout; LoRA.
#pragma once
#include <optional>

#include "model/feature_store.h"
#include "model/prompt_pass.h"
#include "model/vision.h"
#include "ops/logits_memory.h"
#include "ops/token_logps.h"

namespace vsgrpo {

struct LoraConfig {
  int64_t r;
  double alpha;
  std::vector<std::string> target_modules;
  uint64_t seed;

  double scale() const { return alpha / static_cast<double>(r); }
};

struct ModelOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;  // another one needs the GPU to be loaded, see core/gpu.h
  bool trainable = false;
  bool freeze_vision = false;
  std::optional<LoraConfig> lora;
  std::string adapter_dir;  // empty: fresh adapters (B = 0)
};

class GpuBatch;

class Qwen2VL {
 public:
  static std::shared_ptr<Qwen2VL> load(const std::string& dir, const ModelOptions& options);

  // Hidden states before the final norm: of all rows, [N, H], or of `pass.rows`.
  at::Tensor hidden(const Batch& batch, const PassOptions& pass);

  // Keeps the prompts' part of the next training pass. Every change of the weights has to be followed by forget_prompts().
  void keep(std::shared_ptr<const PromptPass> prompts) { kept_ = std::move(prompts); }
  void forget_prompts() { kept_.reset(); }
  // What was kept, if `batch` begins with it; null otherwise. It is not kept any longer.
  std::shared_ptr<const PromptPass> take_prompts(const Batch& batch, const at::Tensor& target_rows);
  // hidden() of the rows `target_rows`, going on from the prompts that `batch` begins with.
  at::Tensor hidden_after(const PromptPass& prompts, const Batch& batch, const at::Tensor& target_rows, PassOptions pass);

  // What the frozen vision tower has computed for batches with slots.
  FeatureStore& features() { return features_; }

  // From now on passes without the adapter are those of a reference policy that has the adapters of a folder.
  void load_reference_adapter(const std::string& dir);

  // Moves every weight towards another model's: w = (1 - alpha) w + alpha w'. Throws Error("BAD_SHAPE") when they differ.
  void mix(Qwen2VL& other, double alpha);

  // What generation on a GPU keeps between its calls; generate/gpu_batch.h knows it.
  std::shared_ptr<GpuBatch>& gpu_batch() { return gpu_batch_; }

  const ModelConfig& config() const { return config_; }
  const ModelOptions& options() const { return options_; }
  Decoder& decoder() { return decoder_; }

  // Every trainable parameter once, with its name; matrices are weight-decayed.
  std::vector<std::pair<std::string, Parameter*>> trainable();
  int64_t parameter_count();

  NamedWeights weights();
  // The adapters' A and B in PEFT's names.
  NamedWeights adapter_weights();
  NamedWeights reference_adapter_weights();

  // model.safetensors with published names (merged: adapters folded in), or adapter_model.safetensors.
  void save_weights(const std::string& dir);
  void save_merged(const std::string& dir);
  void save_adapter(const std::string& dir);

 private:
  Qwen2VL(const ModelConfig& config, const ModelOptions& options);
  void validate(const Batch& batch) const;
  void add_lora(const LoraConfig& lora);
  void make_trainable();
  bool learns_vision() const { return options_.trainable && !options_.freeze_vision && !options_.lora; }
  at::Tensor media_features(const Batch& batch, const PassOptions& pass, const at::Tensor& anchor);

  ModelConfig config_;
  ModelOptions options_;
  VisionTower vision_;
  Decoder decoder_;
  FeatureStore features_;
  std::shared_ptr<const PromptPass> kept_;
  std::shared_ptr<at::Tensor> logits_memory_ = logits_memory();  // held, so that it lasts from pass to pass
  std::shared_ptr<GpuBatch> gpu_batch_;
};

}  // namespace vsgrpo
